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
  const places = placesOf(form);
  if (!places) return false;
  const now = places.read(from);
  return places.read(to).some((number, at) => places.more(at, number, now[at] ?? number) !== number);
}

/**
 * A limit raised: in each place the most of what it is and what is wanted, and where that is more than it is, no less
 * than the kernel's default (advice that was written for another kernel may be below it).
 */
export function raised(form: Form, from: string, wanted: readonly string[], byDefault: string | undefined): string {
  const places = placesOf(form);
  if (!places) return wanted.at(-1) ?? from;
  const [now, ...others] = [from, ...wanted].map((value) => places.read(value));
  const usual = byDefault === undefined ? [] : places.read(byDefault);
  const result = (now ?? []).map((number, at) => {
    const to = others.reduce((best, row) => places.more(at, best, row[at] ?? best), number);
    return to === number ? number : places.more(at, to, usual[at] ?? to);
  });
  return places.write(result);
}

interface Places {
  read(value: string): number[];
  write(numbers: readonly number[]): string;
  /** The one that gives more in this place. */
  more(at: number, a: number, b: number): number;
}

/** How a value is taken apart where its form knows more and less. */
function placesOf(form: Form): Places | undefined {
  const write = (numbers: readonly number[]) => numbers.join(' ');
  switch (form.type) {
    case 'numbers':
      return { read: numbersOf, write, more: (_, a, b) => Math.max(a, b) };
    case 'span':
      return { read: numbersOf, write, more: (at, a, b) => (at === 0 ? Math.min(a, b) : Math.max(a, b)) };
    case 'limit':
      return {
        read: limitsOf,
        write: (limits) => limits.map((limit) => (Number.isFinite(limit) ? limit : 'unlimited')).join(':'),
        more: (_, a, b) => Math.max(a, b),
      };
    default:
      return undefined;
  }
}

/** More than the most of its form becomes the most. */
export function bounded(form: Form, value: string): string {
  if (form.type !== 'numbers' && form.type !== 'span') return value;
  return numbersOf(value)
    .map((number) => Math.min(number, form.most))
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
