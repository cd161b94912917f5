/** The names most like a mistyped one, best first; none that share too little with it. */
export function nearest(wrong: string, names: readonly string[], most = 3): string[] {
  const word = wrong.toLowerCase();
  return names
    .map((name) => ({ name, cost: costOf(word, name.toLowerCase()) }))
    .filter(({ name, cost }) => cost <= Math.max(2, Math.ceil(Math.max(word.length, name.length) / 3)))
    .sort((a, b) => a.cost - b.cost || a.name.localeCompare(b.name))
    .slice(0, most)
    .map(({ name }) => name);
}

/** A part of the name is as good as a small slip; so are the same words in another order. */
function costOf(word: string, name: string): number {
  if (word.length >= 3 && name.includes(word)) return 1;
  const sorted = (text: string) =>
    text
      .split(/[-_.\s]+/)
      .sort()
      .join('-');
  return Math.min(distance(word, name), distance(sorted(word), sorted(name)) + 1);
}

/** Levenshtein's distance, with two rows. */
function distance(a: string, b: string): number {
  let before = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (before[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, (before[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    before = row;
  }
  return before[b.length] ?? 0;
}
