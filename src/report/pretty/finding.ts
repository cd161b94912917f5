import type { Result } from '../../model/results.js';
import { subjectText } from '../../model/subject.js';
import { evidenceTexts } from '../values.js';
import type { Ink, Paper } from './paper.js';

interface Options {
  symbol: string;
  ink: Ink;
  /** The finding above: what it said already is not said again. */
  before: Result | undefined;
  verbose: boolean;
}

/** One finding: what was seen, why it matters, what to do, at what risk, and how to take it back. */
export function writeFinding(paper: Paper, result: Result, { symbol, ink, before, verbose }: Options): void {
  paper.text(`${result.id}: ${result.summary}`, { first: `${symbol} `, ink });
  const about = subjectText(result.subject);
  if (about.split(', ').some((part) => !result.summary.includes(part))) paper.labelled('About', about, '  ');
  writeList(
    paper,
    'Seen',
    evidenceTexts(result.evidence, (item) => subjectText(item.subject)),
  );
  const known = before?.id === result.id ? before : undefined;
  if (known?.why !== result.why) paper.labelled('Why', result.why, '  ');
  writeRemedy(paper, result, known);
  if (verbose && known === undefined) writeList(paper, 'From', result.references);
  if (known === undefined) paper.labelled('More', `sockdoc explain ${result.id}`, '  ');
}

function writeList(paper: Paper, label: string, lines: readonly string[]): void {
  for (const [i, line] of lines.entries()) paper.labelled(i === 0 ? label : '', line, '  ');
}

function writeRemedy(paper: Paper, { remedy }: Result, known: Result | undefined): void {
  if (!remedy) return;
  const before = known?.remedy;
  if (before?.summary === remedy.summary && before.commands.join() === remedy.commands.join()) return;
  paper.labelled('Do', remedy.summary, '  ');
  for (const command of remedy.commands) paper.command(command, '        ');
  if (before?.risk !== remedy.risk) paper.labelled('Risk', remedy.risk, '  ');
  if (before?.undo !== remedy.undo) paper.labelled('Undo', remedy.undo, '  ');
  if (before?.needs !== remedy.needs && remedy.needs !== 'nothing') paper.labelled('Needs', remedy.needs, '  ');
}
