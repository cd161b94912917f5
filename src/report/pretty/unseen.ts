import type { CheckDocument, Result } from '../../model/results.js';
import { writeByNeed } from './gaps.js';
import type { Paper } from './paper.js';

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
  writeByNeed(paper, shown, verbose);
}

function byReason(results: readonly Result[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { id, summary } of results) {
    const ids = groups.get(summary) ?? [];
    groups.set(summary, ids.includes(id) ? ids : [...ids, id]);
  }
  return groups;
}
