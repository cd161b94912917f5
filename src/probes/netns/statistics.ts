/**
 * Files of /proc/net/stat: a line of names, then one line of hexadecimal values per possible CPU. Gives sums over the
 * CPUs, and the first row, since "entries" is the whole table's on every row.
 */
export function parseStatistics(text: string): { sums: Record<string, number>; entries: number | undefined } {
  const [header = '', ...rows] = text.trim().split('\n');
  const names = header.trim().split(/\s+/);
  const sums: Record<string, number> = {};
  let entries: number | undefined;
  for (const row of rows) {
    const words = row.trim().split(/\s+/);
    for (const [at, name] of names.entries()) {
      const value = Number.parseInt(words[at] ?? '', 16);
      if (Number.isNaN(value)) continue;
      if (name === 'entries') entries ??= value;
      else sums[name] = (sums[name] ?? 0) + value;
    }
  }
  return { sums, entries };
}
