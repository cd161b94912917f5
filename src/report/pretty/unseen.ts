import type { Gap } from '../../model/gap.js';
import type { CheckDocument, Result } from '../../model/results.js';
import type { Paper } from './paper.js';

const FEW = 6;

/** What this run could not see, and what would help: a report must not look healthier than the host is. */
export function writeUnseen(paper: Paper, { results, gaps = [], summary }: CheckDocument, verbose: boolean): void {
  const blind = results.filter(({ status, suppressed }) => (status === 'unknown' || status === 'skip') && !suppressed);
  const shown = verbose || !summary.complete ? gaps : gaps.filter((gap) => gap.needs !== undefined);
  if (blind.length === 0 && shown.length === 0) return;
  paper.blank();
  paper.text('NOT SEEN', { first: '? ', ink: 'bold' });
  for (const [reason, ids] of byReason(blind)) paper.text(`${ids.join(', ')}: ${reason}`, { first: '  · ' });
  if (shown.some(({ needs }) => needs !== undefined && /^(CAP_|root)/.test(needs)))
    paper.text('run as root it sees more: sudo sockdoc check', { first: '  · ' });
  for (const [needs, alike] of byNeed(shown)) {
    const help = needs === '' ? 'nothing on this host would help' : `${needs} would help`;
    const texts = alike.map(gapText);
    const more = verbose || texts.length <= FEW ? [] : [`and ${texts.length - FEW} more (--verbose)`];
    paper.text(`${help}: ${[...(verbose ? texts : texts.slice(0, FEW)), ...more].join('; ')}`, { first: '  · ' });
  }
}

function byReason(results: readonly Result[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { id, summary } of results) {
    const ids = groups.get(summary) ?? [];
    groups.set(summary, ids.includes(id) ? ids : [...ids, id]);
  }
  return groups;
}

function byNeed(gaps: readonly Gap[]): [string, Gap[]][] {
  const groups = new Map<string, Gap[]>();
  for (const gap of gaps) groups.set(gap.needs ?? '', [...(groups.get(gap.needs ?? '') ?? []), gap]);
  return [...groups].sort(([a], [b]) => Number(a === '') - Number(b === ''));
}

function gapText({ what, reason, count }: Gap): string {
  return `${what}${count !== undefined && count > 1 ? ` (${count} times)` : ''}: ${reason}`;
}
