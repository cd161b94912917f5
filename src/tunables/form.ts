/**
 * What the values of a setting look like.
 *
 * - numbers: so many integers apart by blanks, each within the range; larger is more of it
 * - span: "LOW HIGH", both within the range; wider is more of it
 * - words: one of these
 * - name: a word that the kernel or a module defines (a congestion control, a clock source)
 * - cpus: a hexadecimal mask or a list ("0-3,8"), as its file takes it
 * - ports: a list of ports and ranges of ports, or nothing
 * - limit: "SOFT:HARD", each a number or "unlimited"
 */
export type Form =
  | { type: 'numbers'; count: number; least: number; most: number }
  | { type: 'span'; least: number; most: number }
  | { type: 'words'; words: readonly string[] }
  | { type: 'name' }
  | { type: 'cpus' }
  | { type: 'ports' }
  | { type: 'limit' };

/** What is wrong with a value of this form, in words; undefined when nothing is. */
export function problemOf(form: Form, value: string): string | undefined {
  const wrong = `"${value}" is not ${expected(form)}`;
  switch (form.type) {
    case 'numbers':
    case 'span': {
      const numbers = numbersOf(value);
      if (numbers.length !== (form.type === 'span' ? 2 : form.count)) return wrong;
      if (numbers.some((number) => number < form.least || number > form.most)) return wrong;
      const [low = 0, high = 0] = numbers;
      return form.type === 'span' && low > high ? wrong : undefined;
    }
    case 'words':
      return form.words.includes(value) ? undefined : wrong;
    case 'name':
      return /^[\w.-]{1,63}$/.test(value) ? undefined : wrong;
    case 'cpus':
      return /^[\da-f]+([,-][\da-f]+)*$/i.test(value) ? undefined : wrong;
    case 'ports':
      return /^(\d{1,5}(-\d{1,5})?(,|$))*$/.test(value) ? undefined : wrong;
    case 'limit': {
      const [soft, hard] = limitsOf(value);
      return soft === undefined || hard === undefined || soft > hard ? wrong : undefined;
    }
  }
}

/** The values of a form in words: "3 numbers from 4096 to 2147483647". */
export function expected(form: Form): string {
  switch (form.type) {
    case 'numbers':
      return `${form.count === 1 ? 'a number' : `${form.count} numbers`} from ${form.least} to ${form.most}`;
    case 'span':
      return `a lower and an upper number from ${form.least} to ${form.most}`;
    case 'words':
      return form.words.join(' or ');
    case 'name':
      return 'a name';
    case 'cpus':
      return 'a mask or a list of CPUs';
    case 'ports':
      return 'a list of ports';
    case 'limit':
      return 'a soft and a hard limit, SOFT:HARD';
  }
}

/** Whether `to` gives less than `from` in any place. Words and names have no less. */
export function isLess(form: Form, from: string, to: string): boolean {
  const [a, b] = [numbersOf(from), numbersOf(to)];
  if (form.type === 'span') return (b[0] ?? 0) > (a[0] ?? 0) || (b[1] ?? 0) < (a[1] ?? 0);
  if (form.type === 'limit') return limitsOf(to).some((number, at) => number < (limitsOf(from)[at] ?? 0));
  return form.type === 'numbers' && b.some((number, at) => number < (a[at] ?? 0));
}

/** The most of several values, place by place: what raising one limit must not take from another. */
export function most(form: Form, values: readonly string[]): string {
  if (form.type === 'limit') {
    const limits = values.map(limitsOf);
    const at = (place: number) => Math.max(...limits.map((limit) => limit[place] ?? 0));
    return [at(0), at(1)].map((limit) => (Number.isFinite(limit) ? limit : 'unlimited')).join(':');
  }
  const rows = values.map(numbersOf).filter((row) => row.length > 0);
  const place = (pick: (...numbers: number[]) => number, at: number) =>
    pick(...rows.map((row) => row[at] ?? row[0] ?? 0));
  if (form.type === 'span') return `${place(Math.min, 0)} ${place(Math.max, 1)}`;
  if (form.type !== 'numbers') return values.at(-1) ?? '';
  return Array.from({ length: form.count }, (_, at) => place(Math.max, at)).join(' ');
}

/** Within the range of its form: more than the most becomes the most. */
export function bounded(form: Form, value: string): string {
  if (form.type !== 'numbers' && form.type !== 'span') return value;
  return numbersOf(value)
    .map((number) => Math.min(Math.max(number, form.least), form.most))
    .join(' ');
}

/** The integers of a value; empty when there is anything else in it. */
export function numbersOf(value: string): number[] {
  const words = value.trim().split(/\s+/);
  return words.every((word) => /^-?\d+$/.test(word)) ? words.map(Number) : [];
}

/** The soft and the hard limit; "unlimited" is infinite. Empty when it is no such pair. */
export function limitsOf(value: string): number[] {
  if (!/^(\d+|unlimited):(\d+|unlimited)$/.test(value)) return [];
  return value.split(':').map((word) => (word === 'unlimited' ? Number.POSITIVE_INFINITY : Number(word)));
}
