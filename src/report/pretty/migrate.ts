import type { Effect, Kept, MigrateDocument, MigratedProcess } from '../../model/migrate.js';
import type { Cell, Column } from '../table.js';
import { bytes, milliseconds } from '../units.js';
import { writeGaps } from './gaps.js';
import { type Ink, type Look, Paper } from './paper.js';

const STATES: Readonly<Record<MigratedProcess['state'], Ink | undefined>> = {
  attached: 'green',
  detached: 'green',
  ready: undefined,
  refused: 'yellow',
};

const PROCESSES: readonly Column<MigratedProcess>[] = [
  { title: 'PID', cell: ({ pid }) => pid, align: 'right', priority: 0 },
  { title: 'COMMAND', cell: ({ comm }) => comm, priority: 1, min: 8 },
  { title: 'STATE', cell: ({ state }) => inked(state, STATES[state]), priority: 0 },
  { title: 'STOPPED', cell: ({ stoppedMs }) => milliseconds(stoppedMs), align: 'right', priority: 2 },
  { title: 'WHY', cell: ({ reason, code }) => reason ?? code, priority: 0, min: 20, max: 120 },
];

const WHY_KEPT: Readonly<Record<string, string>> = {
  unread: 'its program does not read them',
  receiving: 'was being received by at each look',
  sending: 'was being sent by at each look',
  'peer-reads': 'its other end stands in the middle of a read',
  crossing: 'was about to go over to memory at each look',
  monitor: 'a thread was speaking with the monitor at each look',
  interest: 'an epoll set could not be brought up to date at any look',
};

const KEPT: readonly Column<Kept & { pid: number }>[] = [
  { title: 'PID', cell: ({ pid }) => pid, align: 'right', priority: 0 },
  { title: 'FD', cell: ({ fd }) => fd, align: 'right', priority: 0 },
  { title: 'LOCAL', cell: ({ local }) => local, priority: 1 },
  { title: 'REMOTE', cell: ({ remote }) => remote, priority: 1 },
  { title: 'DIRECTION', cell: ({ direction }) => direction, priority: 2 },
  { title: 'UNREAD', cell: ({ unreadBytes }) => bytes(unreadBytes), align: 'right', priority: 1 },
  { title: 'WHY NOT LEFT', cell: ({ why }) => WHY_KEPT[why] ?? why, priority: 0, min: 20, max: 60 },
];
const MOST_KEPT = 16;

const EFFECTS: readonly Column<Effect>[] = [
  { title: 'CLIENT', cell: ({ client }) => `${client.comm} ${client.pid}`, priority: 0, min: 10 },
  { title: 'SERVER', cell: ({ server }) => `${server.comm} ${server.pid}`, priority: 0, min: 10 },
  {
    title: 'BYTES/s',
    cell: ({ before, after }) => `${bytes(before.bytesPerS)} -> ${bytes(after.bytesPerS)}`,
    priority: 1,
  },
  { title: 'CPUS', cell: ({ before, after }) => arrow(before.cpuCores, after.cpuCores), priority: 2 },
  { title: 'THROUGHPUT', cell: ({ timesThroughput }) => times(timesThroughput), align: 'right', priority: 0 },
  { title: 'CPU/BYTE', cell: ({ timesLessCpu }) => less(timesLessCpu), align: 'right', priority: 0 },
  { title: 'PREDICTED', cell: ({ predictedTimesLessCpu }) => less(predictedTimesLessCpu), align: 'right', priority: 0 },
  { title: 'BETWEEN', cell: between, align: 'right', priority: 3 },
];

const inked = (text: string, ink: Ink | undefined) => (ink === undefined ? text : { text, ink });
const digits = (value: number) => (value < 9.95 ? value.toFixed(1) : String(Math.round(value)));
const times = (value: number | undefined) => (value === undefined ? undefined : `${digits(value)}x`);
const less = (value: number | undefined) => (value === undefined ? undefined : `1/${digits(value)}`);
function between({ predictedTimesLessCpuBetween: [least, most] = [0, 0] }: Effect): Cell {
  return most === 0 ? undefined : `${less(least)} and ${less(most)}`;
}
const arrow = (before: number | undefined, after: number | undefined) =>
  before === undefined || after === undefined ? undefined : `${before.toFixed(2)} -> ${after.toFixed(2)}`;

/** What became of each process and of its connections, and what that did. */
export function prettyMigrate(document: MigrateDocument, options: Look & { verbose: boolean }): string {
  const paper = new Paper(options);
  paper.table(PROCESSES, document.processes);
  for (const { pid, comm, next } of document.processes)
    if (next !== undefined) paper.text(`${comm} ${pid}: ${next}`, { first: '! ' });
  writeKept(paper, document);
  writeStopped(paper, document);
  writeConnections(paper, document);
  if (document.effects.length > 0) {
    paper.blank();
    paper.table(EFFECTS, document.effects);
    paper.text(
      'CPU/BYTE is the CPU time that a byte takes now by what it took before; PREDICTED what sockdoc advise said.',
      {
        ink: 'dim',
      },
    );
  }
  // What else of the host cannot be seen is no matter of these processes.
  if (options.verbose) writeGaps(paper, document.gaps, options);
  return paper.toString();
}

function writeStopped(paper: Paper, { stopped }: MigrateDocument): void {
  if (stopped === undefined) return;
  const { count, medianMs, p90Ms, maxMs } = stopped;
  const [median, most, longest] = [medianMs, p90Ms, maxMs].map(milliseconds);
  paper.blank();
  paper.text(`Stopped ${count} times: median ${median}, 90 % within ${most}, at most ${longest}`, { ink: 'dim' });
}

/** Where one alone kept a process, the reason of its refusal has said it. */
function writeKept(paper: Paper, { processes }: MigrateDocument): void {
  const some = processes.filter(({ keptCount = 0 }) => keptCount > 1);
  const rows = some.flatMap(({ pid, kept = [] }) => kept.map((one) => ({ ...one, pid })));
  if (rows.length === 0) return;
  paper.blank();
  paper.table(KEPT, rows.slice(0, MOST_KEPT));
  const others = some.reduce((sum, { keptCount = 0 }) => sum + keptCount, 0) - Math.min(rows.length, MOST_KEPT);
  if (others > 0) paper.text(`and ${others} more`, { first: '  ' });
}

function writeConnections(paper: Paper, { connections, dryRun, back, processes }: MigrateDocument): void {
  const { moved, kept, reasons } = connections;
  paper.blank();
  if (back) {
    paper.text(afterBack(connections, dryRun), { ink: 'bold' });
    return;
  }
  paper.text(`${moved} of ${moved + kept} connections ${dryRun ? 'would go' : 'go'} by shared memory`, { ink: 'bold' });
  for (const [reason, count] of Object.entries(reasons).sort(([, a], [, b]) => b - a))
    paper.text(`${count} by the kernel: ${reason}`, { first: '  ' });
  const attached = processes.filter(({ state }) => state === 'attached').map(({ pid }) => pid);
  if (attached.length > 0 && !dryRun) paper.text(`Back: sockdoc migrate ${attached.join(' ')} --back`, { ink: 'dim' });
}

function afterBack({ moved, kept }: MigrateDocument['connections'], dryRun: boolean): string {
  if (moved === 0) return `none of ${kept} connections goes by shared memory`;
  return `${moved} of ${moved + kept} connections ${dryRun ? 'would go back to the kernel' : 'still go by shared memory'}`;
}
