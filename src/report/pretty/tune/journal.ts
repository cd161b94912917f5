import type {
  TuneConfirmDocument,
  TuneHistoryDocument,
  TuneRevertDocument,
  TuneVerifyDocument,
} from '../../../model/tune/results.js';
import type { Column } from '../../table.js';
import { timeText } from '../../values.js';
import { type Look, Paper } from '../paper.js';
import { writePersisted } from './persisted.js';

type Item = TuneVerifyDocument['items'][number];
type Entry = TuneHistoryDocument['entries'][number];
type Reverted = TuneRevertDocument['reverted'][number];
type Kept = TuneRevertDocument['kept'][number];

const ITEMS: readonly Column<Item>[] = [
  { title: 'KEY', cell: ({ key }) => key, priority: 0, min: 12, max: 60 },
  { title: 'EXPECTED', cell: ({ expected }) => expected, priority: 1, min: 8 },
  {
    title: 'NOW',
    cell: ({ actual, ok }) => ({ text: actual ?? 'not readable', ...(ok ? {} : { ink: 'red' as const }) }),
    priority: 0,
    min: 8,
  },
  { title: 'CHANGED BY', cell: ({ ok, owner }) => (ok ? '' : (owner?.name ?? 'not known')), priority: 2, min: 12 },
];

const ENTRIES: readonly Column<Entry>[] = [
  { title: 'ID', cell: ({ id }) => id, priority: 0 },
  { title: 'WHEN (UTC)', cell: ({ at }) => at && timeText(at), priority: 2 },
  { title: 'STATE', cell: ({ state }) => state, priority: 0 },
  { title: 'PROFILE', cell: ({ profile }) => profile, priority: 4 },
  { title: 'NETNS', cell: ({ netns }) => netns, priority: 3 },
  { title: 'LASTS', cell: ({ persisted }) => (persisted ? 'yes' : ''), priority: 5 },
  { title: 'KEYS', cell: ({ keys }) => keys.join(' '), priority: 1, min: 12, max: 90 },
  { title: 'NOTE', cell: noteOf, priority: 3, min: 12, max: 70 },
];

function noteOf({ note, confirmBefore }: Entry): string | undefined {
  return confirmBefore === undefined ? note : `reverts by itself at ${timeText(confirmBefore)} unless confirmed`;
}

const REVERTED: readonly Column<Reverted>[] = [
  { title: 'REVERTED', cell: ({ key }) => key, priority: 0, min: 12, max: 60 },
  { title: 'FROM', cell: ({ from }) => from, priority: 1, min: 8 },
  { title: 'TO', cell: ({ to }) => to, priority: 0, min: 8 },
];

const KEPT: readonly Column<Kept>[] = [
  { title: 'KEPT', cell: ({ key }) => key, priority: 0, min: 12, max: 60 },
  { title: 'WHY', cell: ({ reason }) => reason, priority: 0, min: 20, max: 100 },
];

/** Each setting of a change, and who has changed what is no longer as it was written. */
export function prettyVerify({ id, ok, items }: TuneVerifyDocument, look: Look): string {
  const paper = new Paper(look);
  if (id === null) paper.text('Nothing to verify: there is no change that is not yet reverted');
  else paper.text(ok ? `${id} holds` : `${id} does not hold as it was written`, { ink: ok ? 'bold' : 'red' });
  if (items.length > 0) paper.table(ITEMS, items);
  return paper.toString();
}

/** One line for each change. */
export function prettyHistory({ entries, note }: TuneHistoryDocument, look: Look): string {
  const paper = new Paper(look);
  if (entries.length === 0) paper.text('Nothing was changed yet');
  else paper.table(ENTRIES, entries);
  if (note !== undefined) paper.text(note);
  return paper.toString();
}

/** What was taken back, and what was left alone with the reason. */
export function prettyRevert({ id, reverted, kept, restored, note }: TuneRevertDocument, look: Look): string {
  const paper = new Paper(look);
  const words = reverted.length === 1 ? 'one setting has its' : `${reverted.length} settings have their`;
  if (id === null) paper.text('Nothing to revert');
  else paper.text(`${id}: ${words} former value again`, { ink: 'bold' });
  if (reverted.length > 0) paper.table(REVERTED, reverted);
  if (kept.length > 0) paper.table(KEPT, kept);
  for (const file of restored) paper.text(`${file}: without our lines again`);
  if (note !== undefined) paper.text(note);
  return paper.toString();
}

/** What is kept now, and what outlasts a restart. */
export function prettyConfirm(document: TuneConfirmDocument, look: Look): string {
  const paper = new Paper(look);
  const { id } = document;
  paper.text(id === null ? 'Nothing waits to be confirmed' : `${id} is confirmed and stays`, { ink: 'bold' });
  writePersisted(paper, document);
  return paper.toString();
}
