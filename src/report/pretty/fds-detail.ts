import type { DescriptorDetail, DescriptorRow, DescriptorsDocument } from '../../model/views/descriptors.js';
import type { Column } from '../table.js';
import { percent } from '../units.js';
import { durationText } from '../values.js';
import { type DescriptorGroup, groupsOf } from './fds-groups.js';
import { shareInk, signed } from './fds-numbers.js';
import type { Paper } from './paper.js';

interface Options {
  all: boolean;
  interactive: boolean;
}

/** A person reads so many rows; of more they get the groups. */
const MOST_ROWS = 100;
const MOST_GROUPS = 40;
const SHARERS = 2;

/** One process: its limit, what it holds by kind, what may leak, its epoll sets, its descriptors. */
export function writeDescriptors(paper: Paper, document: DescriptorsDocument, { all, interactive }: Options): void {
  const { descriptors = [], processes } = document;
  const [row] = processes;
  if (!row) return;
  writeHead(paper, row, document.windowMs);
  writeSuspicions(paper, row);
  writeKinds(paper, row, descriptors);
  writeEpollSets(paper, descriptors);
  paper.blank();
  if (all || !interactive || descriptors.length <= MOST_ROWS) paper.table(COLUMNS, descriptors);
  else writeGroups(paper, descriptors);
}

function writeGroups(paper: Paper, descriptors: readonly DescriptorDetail[]): void {
  const groups = groupsOf(descriptors);
  paper.table(GROUP_COLUMNS, groups.slice(0, MOST_GROUPS));
  const left = groups.length - MOST_GROUPS;
  const more = left > 0 ? `and ${left} more groups; ` : '';
  paper.text(`${more}each of the ${descriptors.length} descriptors: --all`, { ink: 'dim' });
}

function writeHead(paper: Paper, row: DescriptorRow, windowMs: number): void {
  const { pid, comm, uid, open, softLimit, hardLimit, usedShare, highest, growthPerS } = row;
  const limit = softLimit === undefined ? 'without a limit' : `of ${softLimit} (${percent(usedShare)})`;
  const hard = hardLimit === undefined || hardLimit === softLimit ? [] : [`hard limit ${hardLimit}`];
  const growth = growthPerS === undefined ? [] : [`${signed(growthPerS)} over ${durationText(windowMs)}`];
  const ink = shareInk(usedShare);
  paper.text(
    [
      `${comm} (pid ${pid}, uid ${uid})`,
      `${open} descriptors open ${limit}`,
      ...hard,
      ...(highest === undefined || highest < 0 ? [] : [`highest ${highest}`]),
      ...growth,
    ].join(' · '),
    { ink: ink ?? 'bold' },
  );
}

function writeSuspicions(paper: Paper, { suspicions = [] }: DescriptorRow): void {
  if (suspicions.length === 0) return;
  paper.blank();
  paper.text('MAY LEAK', { first: '▲ ', ink: 'yellow' });
  for (const { text } of suspicions) paper.text(text, { first: '  · ' });
}

interface Kind {
  kind: string;
  count: number;
  change: number | undefined;
  inherited: number;
  states: string;
}

function writeKinds(paper: Paper, row: DescriptorRow, descriptors: readonly DescriptorDetail[]): void {
  const kinds = new Map<string, Kind & { byState: Map<string, number> }>();
  for (const { kind, state, cloexec } of descriptors) {
    const known = kinds.get(kind) ?? { ...emptyKind(kind, row), byState: new Map() };
    kinds.set(kind, known);
    known.count++;
    if (cloexec === false) known.inherited++;
    if (state !== undefined) known.byState.set(state, (known.byState.get(state) ?? 0) + 1);
  }
  const rows = [...kinds.values()].sort((a, b) => b.count - a.count);
  for (const one of rows)
    one.states = [...one.byState]
      .sort(([, a], [, b]) => b - a)
      .map(([state, count]) => `${count} ${state}`)
      .join(', ');
  paper.blank();
  paper.table(KIND_COLUMNS, rows);
}

const emptyKind = (kind: string, { growthByKind }: DescriptorRow): Kind => ({
  kind,
  count: 0,
  change: growthByKind && (growthByKind[kind] ?? 0),
  inherited: 0,
  states: '',
});

const KIND_COLUMNS: Column<Kind>[] = [
  { title: 'KIND', cell: ({ kind }) => kind, priority: 0 },
  { title: 'COUNT', cell: ({ count }) => count, align: 'right', priority: 0 },
  {
    title: 'CHANGE',
    cell: ({ change }) => (change ? `${change > 0 ? '+' : ''}${change}` : undefined),
    align: 'right',
    priority: 1,
  },
  { title: 'NO CLOEXEC', cell: ({ inherited }) => inherited || undefined, align: 'right', priority: 2 },
  { title: 'STATES', cell: ({ states }) => states, priority: 1, min: 20, max: 100 },
];

interface EpollSet {
  fd: number;
  watches: number | undefined;
  stale: number;
  events: string;
}

function writeEpollSets(paper: Paper, descriptors: readonly DescriptorDetail[]): void {
  const sets = descriptors.filter(({ kind }) => kind === 'epoll').map(epollSetOf);
  if (sets.length === 0) return;
  paper.blank();
  paper.table(EPOLL_COLUMNS, sets);
}

function epollSetOf({ fd, watches }: DescriptorDetail): EpollSet {
  const events = new Map<string, number>();
  for (const watch of watches ?? []) {
    const text = watch.events.map(shortEvent).join('|') || 'nothing';
    events.set(text, (events.get(text) ?? 0) + 1);
  }
  return {
    fd,
    watches: watches?.length,
    stale: watches?.filter(({ stale }) => stale).length ?? 0,
    events: [...events]
      .sort(([, a], [, b]) => b - a)
      .map(([text, count]) => `${count} ${text}`)
      .join(', '),
  };
}

const shortEvent = (name: string) => name.replace(/^EPOLL/, '');

const EPOLL_COLUMNS: Column<EpollSet>[] = [
  { title: 'EPOLL FD', cell: ({ fd }) => fd, align: 'right', priority: 0 },
  { title: 'WATCHES', cell: ({ watches }) => watches ?? 'not read', align: 'right', priority: 0 },
  {
    title: 'STALE',
    cell: ({ stale }) => (stale > 0 ? { text: String(stale), ink: 'yellow' } : undefined),
    align: 'right',
    priority: 1,
  },
  { title: 'EVENTS', cell: ({ events }) => events, priority: 2, min: 20, max: 100 },
];

const COLUMNS: Column<DescriptorDetail>[] = [
  { title: 'FD', cell: ({ fd }) => fd, align: 'right', priority: 0 },
  { title: 'KIND', cell: ({ kind }) => kind, priority: 0 },
  { title: 'FLAGS', cell: flagsOf, priority: 5 },
  {
    title: 'STATE',
    cell: ({ state }) => (state === 'close-wait' || state === 'unconnected' ? { text: state, ink: 'yellow' } : state),
    priority: 1,
  },
  { title: 'LOCAL OR TARGET', cell: targetOf, priority: 0, min: 16, max: 60 },
  { title: 'REMOTE', cell: ({ remote }) => remote, priority: 1, min: 12 },
  { title: 'OTHER END', cell: peerOf, priority: 2, min: 12 },
  { title: 'WATCHED BY', cell: ({ watchedBy }) => watchedBy?.join(','), priority: 3, max: 12 },
  { title: 'SHARED WITH', cell: sharersOf, priority: 6, min: 8, max: 24 },
  { title: 'RECV-Q', cell: ({ recvQueueBytes }) => recvQueueBytes || undefined, align: 'right', priority: 7 },
  { title: 'SEND-Q', cell: ({ sendQueueBytes }) => sendQueueBytes || undefined, align: 'right', priority: 7 },
];

function flagsOf({ cloexec, nonblock }: DescriptorDetail): string | undefined {
  return cloexec === undefined
    ? undefined
    : [...(cloexec ? ['cloexec'] : []), ...(nonblock ? ['nonblock'] : [])].join(',');
}

function sharersOf({ sharedWith = [] }: DescriptorDetail): string | undefined {
  const more = sharedWith.length > SHARERS ? ` and ${sharedWith.length - SHARERS} more` : '';
  return sharedWith.length === 0 ? undefined : `${sharedWith.slice(0, SHARERS).join(',')}${more}`;
}

function targetOf({ kind, local, target, info, watches, protocol }: DescriptorDetail): string | undefined {
  if (local !== undefined) return local;
  if (kind === 'epoll') return watches ? `${watches.length} watches` : undefined;
  if (info && Object.keys(info).length > 0)
    return Object.entries(info)
      .map(([key, value]) => `${key} ${value}`)
      .join(', ');
  if (target.startsWith('socket:[')) return kind === 'tcp' || kind === 'unix' ? undefined : protocol;
  return target.startsWith('anon_inode:') ? undefined : target;
}

function peerOf({ peer, peers }: DescriptorDetail): string | undefined {
  if (peer) {
    const more = peers !== undefined && peers > 1 ? ` and ${peers - 1} more` : '';
    return `${peer.comm}[${peer.pid}] fd ${peer.fd}${more}`;
  }
  return peers === 0 ? 'nobody' : undefined;
}

const GROUP_COLUMNS: Column<DescriptorGroup>[] = [
  { title: 'COUNT', cell: ({ count }) => count, align: 'right', priority: 0 },
  { title: 'KIND', cell: ({ kind }) => kind, priority: 0 },
  { title: 'STATE', cell: ({ state }) => state, priority: 1 },
  { title: 'WHAT', cell: ({ what }) => what, priority: 0, min: 20, max: 80 },
  { title: 'DESCRIPTORS', cell: ({ first, last }) => (first === last ? first : `${first} to ${last}`), priority: 2 },
];
