// Texts of files that several changes and a person's editor may have written to: pure.

/** A setting and the value that is kept for the next start. */
export interface Kept {
  key: string;
  value: string;
}

const linesOf = (text: string | null): string[] => (text ?? '').split('\n').filter((line) => line !== '');

/** Puts lines into a text: each in the place of the one with the same key, or at the end. */
export function withLines(text: string, lines: readonly string[], keyOf: (line: string) => string | undefined): string {
  const all = text.split('\n').filter((line, at, every) => line !== '' || at < every.length - 1);
  for (const line of lines) {
    const at = all.findIndex((other) => keyOf(other) !== undefined && keyOf(other) === keyOf(line));
    if (at < 0) all.push(line);
    else all[at] = line;
  }
  return `${all.join('\n')}\n`;
}

/**
 * Takes a change from `before` to `after` back out of a text that may have been changed since: lines that the change
 * brought go, those that it took come back, all others stay as they are.
 */
export function withoutChange(text: string, before: string | null, after: string): string {
  if (text === after) return before ?? '';
  const [former, ours] = [linesOf(before), linesOf(after)];
  const brought = new Set(ours.filter((line) => !former.includes(line)));
  const taken = former.filter((line) => !ours.includes(line) && !text.split('\n').includes(line));
  const rest = text.split('\n').filter((line) => !brought.has(line));
  while (rest.at(-1) === '') rest.pop();
  return `${[...rest, ...taken].join('\n')}\n`;
}
