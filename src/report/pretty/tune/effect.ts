import type { Effect, TuneEffectDocument } from '../../../model/tune/effect.js';
import { durationText } from '../../values.js';
import { type Ink, type Look, Paper } from '../paper.js';

const MARKS: Readonly<Record<Effect['verdict'], { symbol: string; ink: Ink }>> = {
  helped: { symbol: '✔', ink: 'green' },
  'did not help': { symbol: '✖', ink: 'red' },
  'cannot be told': { symbol: '·', ink: 'yellow' },
};

/** One line for each changed setting: whether what it was changed for is gone. */
export function writeEffects(paper: Paper, effects: readonly Effect[]): void {
  const [first] = effects;
  if (!first) return;
  paper.blank();
  paper.text(`Measured again (window ${durationText(first.windowMs)}, before and after)`, { ink: 'bold' });
  for (const { key, verdict, reason, symptom } of effects) {
    const { symbol, ink } = MARKS[verdict];
    paper.text(`${key}: ${verdict}: ${symptom === undefined ? '' : `${symptom}: `}${reason}`, {
      first: `  ${symbol} `,
      ink,
    });
  }
}

/** The answer of `sockdoc tune effect`. */
export function prettyEffect({ id, effect }: TuneEffectDocument, look: Look): string {
  const paper = new Paper(look);
  if (id === null) paper.text('Nothing to measure: there is no change that is not yet reverted');
  else if (effect.length === 0) paper.text(`${id} wrote nothing that is still there`);
  writeEffects(paper, effect);
  if (effect.some(({ verdict }) => verdict === 'did not help'))
    paper.last(`→ Take it back: sockdoc tune revert ${id}`, 'cyan');
  return paper.toString();
}
