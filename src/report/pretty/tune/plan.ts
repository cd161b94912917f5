import { subjectText } from '../../../model/subject.js';
import type { Owner, PlanRow } from '../../../model/tune/plan.js';
import type { Skipped } from '../../../model/tune/results.js';
import { evidenceTexts } from '../../values.js';
import { type Look, Paper } from '../paper.js';

interface Shown {
  rows: readonly PlanRow[];
  skipped: readonly Skipped[];
  /** "profile latency", "the plan of 2026-01-02, plan.json". */
  title: string;
  /** Name all that is left out. */
  verbose?: boolean | undefined;
}

/** What would be written, and why: the person decides by this. */
export function prettyPlan({ rows, skipped, title, verbose }: Shown, look: Look): string {
  const paper = new Paper(look);
  const count = rows.length === 1 ? '1 setting' : `${rows.length} settings`;
  paper.text(rows.length === 0 ? `Nothing to change (${title})` : `${count} to change (${title})`, { ink: 'bold' });
  for (const row of rows) {
    paper.blank();
    writeRow(paper, row);
  }
  writeSkipped(paper, skipped, verbose);
  return paper.toString();
}

function writeRow(paper: Paper, row: PlanRow): void {
  const usual =
    row.default === null
      ? ''
      : row.default === row.from
        ? " (now the kernel's default)"
        : ` (the kernel's default: ${row.default})`;
  paper.text(`${row.key}: ${row.from === '' ? 'nothing' : row.from} → ${row.to}${usual}`, { first: '● ', ink: 'cyan' });
  paper.labelled('Why', row.finding === undefined ? row.reason : `${row.reason} (${row.finding})`, '  ');
  const seen = evidenceTexts(row.evidence, (item) => subjectText(item.subject));
  for (const [at, line] of seen.entries()) paper.labelled(at === 0 ? 'Seen' : '', line, '  ');
  paper.labelled('Risk', row.risk, '  ');
  if (row.needs !== 'nothing') paper.labelled('Needs', row.needs, '  ');
  if (row.owner) paper.labelled('Owner', ownerText(row.owner), '  ');
}

/** "tuned (active profile balanced, pid 7), which runs and may write it again" */
export function ownerText({ name, running, pid, detail }: Owner): string {
  const facts = [detail, pid === undefined ? undefined : `pid ${pid}`].filter((fact) => fact !== undefined);
  const about = facts.length > 0 ? ` (${facts.join(', ')})` : '';
  return `${name}${about}${running ? ', which runs and may write it again' : ''}`;
}

/** Of many keys with one reason the first are named, and all with --verbose. */
const NAMED = 3;

export function writeSkipped(paper: Paper, skipped: readonly Skipped[], verbose = false): void {
  if (skipped.length === 0) return;
  paper.blank();
  paper.text(`Left out (${skipped.length})`, { ink: 'dim' });
  for (const reason of new Set(skipped.map((one) => one.reason))) {
    const keys = skipped.filter((one) => one.reason === reason).map(({ key }) => key);
    const shown = verbose || keys.length <= NAMED + 1 ? keys : keys.slice(0, NAMED);
    const more = keys.length > shown.length ? ` and ${keys.length - shown.length} more (--verbose)` : '';
    paper.text(`${shown.join(', ')}${more}: ${reason}`, { first: '  · ' });
  }
}
