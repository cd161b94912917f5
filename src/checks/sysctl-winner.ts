import type { SysctlAssignment, SysctlFiles } from '../model/snapshot/index.js';

export type SysctlTool = 'systemd' | 'procps';

/** The lines that set one key by its own name or by a glob, in the order in which the tool applies their files. */
export function assignmentsOf(files: SysctlFiles, tool: SysctlTool, key: string): SysctlAssignment[] {
  const rank = new Map(files.order[tool].map((file, at) => [file, at]));
  return files.assignments
    .filter((line) => rank.has(line.file) && (line.glob ? matches(line.key, key) : line.key === key))
    .toSorted((a, b) => (rank.get(a.file) ?? 0) - (rank.get(b.file) ?? 0) || a.line - b.line);
}

/**
 * The line whose value a key has after the tool ran; undefined when no file sets it. As sysctl.d(5) has it, a later line
 * replaces an earlier one, a line with the key's own name beats every glob wherever it stands, and "-key" without a
 * value keeps globs away from that key. Here the tools differ: to systemd a "-key" also takes back the assignments
 * before it, procps applies them.
 */
export function winner(files: SysctlFiles, tool: SysctlTool, key: string): SysctlAssignment | undefined {
  const all = assignmentsOf(files, tool, key);
  const own = all.filter((line) => !line.glob);
  if (own.length === 0) return all.findLast((line) => line.value !== undefined);
  const counts = tool === 'systemd' ? own.slice(-1) : own;
  return counts.findLast((line) => line.value !== undefined);
}

/** Keys as written with dots: "*" and "?" do not cross a level, as in glob(7). */
export function matches(glob: string, key: string): boolean {
  const source = glob
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '[^.]*')
    .replaceAll('?', '[^.]');
  try {
    return new RegExp(`^${source.replaceAll('[!', '[^')}$`).test(key);
  } catch {
    return false; // an unfinished bracket: the tools do not match anything with it either
  }
}

/**
 * Whether two values are the same setting to the kernel: white space does not count, and integers may be written
 * in hexadecimal or octal, as strtoul() with base 0 reads them.
 */
export function sameValue(a: string, b: string): boolean {
  return canonical(a) === canonical(b);
}

function canonical(value: string): string {
  return value
    .trim()
    .split(/[\s]+/)
    .map((word) => integer(word))
    .join(' ');
}

function integer(word: string): string {
  if (/^0x[0-9a-f]+$/i.test(word)) return String(BigInt(word));
  if (/^0[0-7]+$/.test(word)) return String(BigInt(`0o${word.slice(1)}`));
  return word;
}
