import type { Change, DiffDocument, Rate } from '../../model/diff.js';
import type { Result } from '../../model/results.js';
import { type Ink, type Look, Paper } from './paper.js';

const MOST = 30;

interface Options extends Look {
  verbose: boolean;
}

/** What changed between two snapshots, what matters most first. */
export function prettyDiff(document: DiffDocument, options: Options): string {
  const paper = new Paper(options);
  const { from, to, findings } = document;
  for (const [label, side] of [
    ['from', from],
    ['to', to],
  ] as const)
    paper.text(`${side.file} · ${side.hostname} · Linux ${side.kernel} · ${side.takenAt}`, {
      first: `${label.padEnd(5)}`,
      ink: 'bold',
    });
  writeFindings(paper, 'Findings that appeared', findings.appeared, '+', 'red');
  const changed = findings.changed.map(({ from: a, to: b }) => ({
    ...b,
    summary: `${a.status} → ${b.status}: ${b.summary}`,
  }));
  writeFindings(paper, 'Findings that changed', changed, '~', 'yellow');
  writeFindings(paper, 'Findings that disappeared', findings.disappeared, '-', 'green');
  writeChanges(paper, 'Host', document.host, options);
  writeChanges(paper, 'Sysctls', document.sysctls, options);
  writeChanges(paper, 'Interfaces', document.links, options);
  writeChanges(paper, 'Limits', document.limits, options);
  writeRates(paper, document.counters, options);
  paper.blank();
  const settings = document.host.length + document.sysctls.length + document.links.length + document.limits.length;
  paper.text(
    `${findings.appeared.length} findings appeared, ${findings.changed.length} changed, ${findings.disappeared.length} disappeared; ${settings} settings and ${document.counters.length} rates differ`,
  );
  return paper.toString();
}

function writeFindings(paper: Paper, title: string, results: readonly Result[], sign: string, ink: Ink): void {
  if (results.length === 0) return;
  heading(paper, title, results.length);
  for (const { id, status, summary } of results)
    paper.text(`${status} ${id}: ${summary}`, { first: `  ${sign} `, ink });
}

function writeChanges(paper: Paper, title: string, changes: readonly Change[], { verbose }: Options): void {
  list(paper, title, changes, verbose, ({ key, netns, from, to }) => {
    return `${key}${netns ? ` (${netns})` : ''}: ${from ?? 'absent'} → ${to ?? 'absent'}`;
  });
}

function writeRates(paper: Paper, rates: readonly Rate[], { verbose }: Options): void {
  list(paper, 'Counters, growth per second', rates, verbose, ({ key, netns, fromPerSecond, toPerSecond }) => {
    return `${key}${netns ? ` (${netns})` : ''}: ${fromPerSecond} → ${toPerSecond}`;
  });
}

function list<T>(paper: Paper, title: string, items: readonly T[], verbose: boolean, text: (item: T) => string): void {
  if (items.length === 0) return;
  heading(paper, title, items.length);
  const shown = verbose ? items : items.slice(0, MOST);
  for (const item of shown) paper.text(text(item), { first: '  · ' });
  if (shown.length < items.length)
    paper.text(`and ${items.length - shown.length} more (--verbose)`, { first: '  · ', ink: 'dim' });
}

function heading(paper: Paper, title: string, count: number): void {
  paper.blank();
  paper.text(`${title} (${count})`, { ink: 'bold' });
}
