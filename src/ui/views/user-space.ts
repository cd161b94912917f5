import { TRANSPORTS } from '../../model/views/connections.js';
import type { Frame } from '../../model/views/frame.js';
import type { ProcessRow } from '../../model/views/processes.js';
import { bitRate, count, percent } from '../../report/units.js';
import type { Line } from '../draw/spans.js';
import { type Column, measured } from '../draw/table.js';
import { around, heading, labelled, listed } from './detail-lines.js';
import { narrowed } from './narrow.js';
import { listTab, type Scene, UNREAD } from './tab.js';

type Carried = NonNullable<NonNullable<Frame['totals']>['transports']>[number];

const COLUMNS: readonly Column<ProcessRow>[] = [
  {
    title: 'PROCESS',
    width: 10,
    max: 20,
    priority: 0,
    sort: 'process',
    order: ({ comm }) => comm,
    cell: ({ comm }) => comm,
  },
  { title: 'PID', width: 7, align: 'right', priority: 0, order: ({ pid }) => -pid, cell: ({ pid }) => String(pid) },
  {
    title: 'LIBSD',
    width: 6,
    priority: 0,
    order: (row) => standing(row),
    cell: ({ underLibsd }) => (underLibsd ? { text: 'yes', ink: 'green' } : '-'),
  },
  measured('IN MEMORY', 9, 0, (row) => row.byMemory, count, 'memory'),
  measured('CONNS', 6, 0, (row) => row.connections, count),
  measured('TX b/s', 7, 1, (row) => row.sendBps, count, 'tx'),
  measured('RX b/s', 7, 1, (row) => row.receiveBps, count, 'rx'),
  measured('CPU', 6, 2, (row) => row.cpuShare, percent),
  measured('SOCKETS', 7, 2, (row) => row.socketShare, percent),
  { title: 'WHERE', width: 10, max: 24, priority: 3, cell: ({ container, netns }) => container ?? netns },
];

/** Those under libsd first, then those with the most connections. */
const standing = ({ underLibsd, connections }: ProcessRow) => (underLibsd ? 1e9 : 0) + connections;

/** Which processes are under libsd, what carries their connections, and why it is the kernel. */
export const userSpace = listTab<ProcessRow>({
  title: 'User space',
  columns: COLUMNS,
  sorts: ['libsd', 'memory', 'conns', 'tx', 'rx', 'cpu', 'sockets', 'pid', 'process'],
  rows: ({ frame, state }) =>
    narrowed(
      frame.processes.filter(({ connections, underLibsd }) => connections > 0 || underLibsd),
      state.filter,
      (row) => row,
    ),
  key: ({ pid }) => String(pid),
  above,
  empty: ({ frame }) => (frame.totals === undefined ? UNREAD : 'No process that may be looked into has a connection.'),
  detail,
});

/** Of a recording from before the totals had them: of the rows that it has. */
function carriedIn({ totals, connections }: Frame): readonly Carried[] {
  if (totals?.transports) return totals.transports;
  const sums = new Map<string, Carried>();
  for (const { state, transport, reason } of connections) {
    if (state === 'listen') continue;
    const key = `${transport} ${reason}`;
    const sum = sums.get(key) ?? { transport, ...(reason === undefined ? {} : { reason }), connections: 0 };
    sums.set(key, { ...sum, connections: sum.connections + 1 });
  }
  return [...sums.values()];
}

/** All connections by transport, and below why the kernel carries those that it does, the most first. */
function above({ frame }: Scene): readonly Line[] {
  if (frame.totals === undefined) return [];
  const carried = carriedIn(frame);
  const texts = TRANSPORTS.map((name) => transportText(name, carried));
  const kept = carried.filter(({ reason }) => reason !== undefined).toSorted((a, b) => b.connections - a.connections);
  return [
    [` Connections by transport: ${texts.join(', ')}`],
    ...kept.map(({ connections, reason }): Line => [`   ${count(connections)?.padStart(6)}  ${reason}`]),
  ];
}

function transportText(name: string, carried: readonly Carried[]): string {
  const own = carried.filter(({ transport }) => transport === name);
  const sum = (of: (row: Carried) => number | undefined) => own.reduce((all, row) => all + (of(row) ?? 0), 0);
  const rate = sum(({ sendBps }) => sendBps) + sum(({ receiveBps }) => receiveBps);
  const moving = rate > 0 ? ` (${bitRate(rate)})` : '';
  return `${name} ${count(sum(({ connections }) => connections))}${moving}`;
}

function detail(row: ProcessRow, { columns, frame }: Scene): readonly Line[] {
  const line = (label: string, text: string | undefined) => labelled(label, text, columns);
  const own = frame.connections.filter(({ pid, state }) => pid === row.pid && state !== 'listen');
  const reasons = new Map<string, number>();
  for (const { reason } of own) if (reason !== undefined) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  return [
    heading(`${row.comm}  pid ${row.pid}`),
    ...line('Libsd', row.underLibsd ? 'is in it, and the monitor knows it' : 'is not in it'),
    ...line('Connections', listed(String(row.connections), around('', row.byMemory, ' by shared memory'))),
    ...line('Traffic', listed(around('sends ', bitRate(row.sendBps)), around('receives ', bitRate(row.receiveBps)))),
    ...[...reasons].flatMap(([reason, times], i) => line(i === 0 ? 'Kernel' : '', `${times}: ${reason}`)),
  ];
}
