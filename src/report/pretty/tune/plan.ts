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
}

/** What would be written, and why: the person decides by this. */
export function prettyPlan({ rows, skipped, title }: Shown, look: Look): string {
  const paper = new Paper(look);
  const count = rows.length === 1 ? '1 setting' : `${rows.length} settings`;
  paper.text(rows.length === 0 ? `Nothing to change (${title})` : `${count} to change (${title})`, { ink: 'bold' });
  for (const row of rows) {
    paper.blank();
    writeRow(paper, row);
  }
  writeSkipped(paper, skipped);
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

export function writeSkipped(paper: Paper, skipped: readonly Skipped[]): void {
  if (skipped.length === 0) return;
  paper.blank();
  paper.text(`Left out (${skipped.length})`, { ink: 'dim' });
  for (const { key, reason } of skipped) paper.text(`${key}: ${reason}`, { first: '  · ' });
}
