import type { Gap } from '../../model/gap.js';
import type { Paper } from './paper.js';

const FEW = 6;

/** What a view could not read, where it ends: nobody may take it for all there is. */
export function writeGaps(paper: Paper, gaps: readonly Gap[], { verbose }: { verbose: boolean }): void {
  if (gaps.length === 0) return;
  paper.blank();
  paper.text('NOT SEEN', { first: '? ', ink: 'bold' });
  writeByNeed(paper, gaps, verbose);
}

/** One line for each thing that would help, with what it would show. */
export function writeByNeed(paper: Paper, gaps: readonly Gap[], verbose: boolean): void {
  for (const [needs, alike] of byNeed(gaps)) {
    const help = needs === '' ? 'nothing on this host would help' : `${needs} would help`;
    const texts = alike.map(gapText);
    const more = verbose || texts.length <= FEW ? [] : [`and ${texts.length - FEW} more (--verbose)`];
    paper.text(`${help}: ${[...(verbose ? texts : texts.slice(0, FEW)), ...more].join('; ')}`, { first: '  · ' });
  }
}

function byNeed(gaps: readonly Gap[]): [string, Gap[]][] {
  const groups = new Map<string, Gap[]>();
  for (const gap of gaps) groups.set(gap.needs ?? '', [...(groups.get(gap.needs ?? '') ?? []), gap]);
  return [...groups].sort(([a], [b]) => Number(a === '') - Number(b === ''));
}

function gapText({ what, reason, count }: Gap): string {
  return `${what}${count !== undefined && count > 1 ? ` (${count} times)` : ''}: ${reason}`;
}
