import type { Result } from '../../model/results.js';
import { subjectText } from '../../model/subject.js';
import { tunableOf } from '../../tunables/catalogue/index.js';
import { statusRank } from '../diagnose/judge.js';
import { tuneCommand } from './tune-command.js';

/**
 * How `sockdoc tune` has to be told to look at the same: options, none as a rule. Undefined where it would see something
 * else than the check did: some processes, another namespace, the worst of many windows.
 */
export type TuneOptions = string[] | undefined;

/**
 * The one thing to do first: of the results of the worst status the one whose check costs clients most. Results of one
 * check come ordered by weight, so the first of them is its worst. Nothing that fails or warns: nothing to do.
 */
export function actionOf(
  results: readonly Result[],
  priority: (id: string) => number,
  tuneOptions?: TuneOptions,
): string | null {
  const urgent = results.filter(({ status }) => status === 'fail' || status === 'warn');
  const [worst] = urgent.toSorted(
    (a, b) => statusRank(b.status) - statusRank(a.status) || priority(b.id) - priority(a.id),
  );
  if (!worst) return null;
  const { fd: _fd, tid: _tid, ...lasting } = worst.subject ?? {};
  const subject = subjectText(lasting);
  const what = firstSentence(worst.remedy?.summary ?? worst.summary);
  const command = tuneOf(worst, tuneOptions) ?? worst.remedy?.commands[0];
  return `${worst.id}${subject ? ` (${subject})` : ''}: ${what}${command ? `: ${oneLine(command)}` : ''}`;
}

/** What sets it with a journal, and with a way back. */
function tuneOf({ remedy, subject }: Result, options: TuneOptions): string | undefined {
  const keys = remedy?.tunes.map(({ key }) => key) ?? [];
  if (!options || keys.length === 0 || subject?.netns !== undefined) return undefined;
  const known = keys.map((key) => tunableOf(key));
  if (known.includes(undefined)) return undefined;
  return tuneCommand(keys, ...options, known.some((tunable) => tunable?.kind === 'limit') ? '--limits' : undefined);
}

/** Up to the first full stop that ends a sentence, without it. */
function firstSentence(text: string): string {
  const end = /(?<!\b(?:e\.g|i\.e|etc|vs))[.:](?=\s|$)/.exec(text);
  return oneLine(end ? text.slice(0, end.index) : text);
}

const oneLine = (text: string) => text.replace(/\s*\n\s*/g, ' ').trim();
