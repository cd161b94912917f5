import type { TuneDocument } from '../../../model/tune/results.js';
import { timeText } from '../../values.js';
import { type Look, Paper } from '../paper.js';
import { writeEffects } from './effect.js';
import { writePersisted } from './persisted.js';
import { writeSkipped } from './plan.js';

/** What became of a plan: written, or undone and why; whether it helped; how to take it back. */
export function prettyChange(document: TuneDocument, look: Look): string {
  const { applied, failed, id, confirmBefore, effect = [], plan } = document;
  const paper = new Paper(look);
  if (failed) writeFailure(paper, failed);
  else if (id === null) paper.text('Nothing was written', { ink: 'bold' });
  else
    paper.text(
      `Written and read back: ${applied.length === 1 ? '1 setting' : `${applied.length} settings`}, change ${id}`,
      { ink: 'bold' },
    );
  for (const { key, from, to, asked } of applied) {
    const less = asked === undefined ? '' : ` (${asked} was asked for: the kernel made this of it)`;
    paper.text(`${key}: ${from} → ${to}${less}`, { first: '  ✔ ', ink: 'green' });
    const needs = plan.find((row) => row.key === key)?.needs ?? 'nothing';
    if (!needs.startsWith('nothing')) paper.text(`it needs: ${needs}`, { first: '      ' });
  }
  writePersisted(paper, document);
  writeSkipped(
    paper,
    document.skipped.filter(({ key }) => plan.some((row) => row.key === key)),
  );
  writeEffects(paper, effect);
  if (id !== null && !failed)
    writeEnd(
      paper,
      id,
      confirmBefore,
      effect.some(({ verdict, reason }) => verdict === 'cannot be told' && /needs:/.test(reason)),
    );
  return paper.toString();
}

function writeFailure(paper: Paper, { key, reason, undone, kept }: NonNullable<TuneDocument['failed']>): void {
  paper.text(key === '' ? `Stopped: ${reason}` : `${key} could not be written: ${reason}`, { first: '✖ ', ink: 'red' });
  if (undone.length > 0) paper.text(`Taken back: ${undone.join(', ')}`);
  else if (kept.length === 0) paper.text('Nothing else had been written.');
  for (const one of kept) paper.text(`${one.key} was left as it is: ${one.reason}`, { first: '  ✖ ', ink: 'red' });
}

function writeEnd(paper: Paper, id: string, confirmBefore: string | undefined, later: boolean): void {
  paper.blank();
  if (confirmBefore !== undefined)
    paper.text(`Reverted by itself at ${timeText(confirmBefore)} UTC unless you confirm: sockdoc tune confirm ${id}`, {
      ink: 'yellow',
    });
  if (later) paper.text(`After the restart, measure again: sockdoc tune effect ${id}`);
  paper.last(`→ Take it back: sockdoc tune revert ${id}`, 'cyan');
}
