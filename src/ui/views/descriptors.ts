import type { DescriptorRow } from '../../model/views/descriptors.js';
import { count, percent, perSecond } from '../../report/units.js';
import type { Line, Span } from '../draw/spans.js';
import { type Column, measured } from '../draw/table.js';
import { around, heading, labelled, listed } from './detail-lines.js';
import { narrowed } from './narrow.js';
import { listTab, type Scene } from './tab.js';

const right = { align: 'right' } as const;
/** Of the limit: from here on it wants attention. */
const NEARLY_ALL = 0.8;

const COLUMNS: readonly Column<DescriptorRow>[] = [
  { title: 'PROCESS', width: 10, max: 20, priority: 0, order: ({ comm }) => comm, cell: ({ comm }) => comm },
  { title: 'PID', width: 7, ...right, priority: 0, order: ({ pid }) => -pid, cell: ({ pid }) => String(pid) },
  measured('OPEN', 7, 0, (row) => row.open, count),
  measured('LIMIT', 7, 1, (row) => row.softLimit, count),
  { title: 'USED', width: 7, ...right, priority: 0, order: (row) => row.usedShare, cell: (row) => usedCell(row) },
  {
    title: 'GROWTH/s',
    width: 8,
    ...right,
    priority: 2,
    order: (row) => row.growthPerS,
    cell: (row) => growthCell(row),
  },
  measured('SOCKETS', 7, 2, (row) => row.sockets, count),
  measured('TCP', 6, 4, (row) => row.tcp, count),
  measured('UDP', 6, 5, (row) => row.udp, count),
  measured('UNIX', 6, 5, (row) => row.unix, count),
  {
    title: 'CLOSE-WAIT',
    width: 10,
    ...right,
    priority: 3,
    order: (row) => row.closeWait,
    cell: (row) => closeWaitCell(row),
  },
  measured('EPOLL', 6, 6, (row) => row.epollSets, count),
  measured('INHERITABLE', 11, 7, (row) => row.socketsInheritable, count),
  { title: 'UID', width: 6, ...right, priority: 8, order: ({ uid }) => -uid, cell: ({ uid }) => String(uid) },
];

export const descriptors = listTab<DescriptorRow>({
  title: 'Descriptors',
  columns: COLUMNS,
  sorts: ['used', 'open', 'growth/s', 'sockets', 'close-wait', 'tcp', 'inheritable', 'pid', 'process'],
  rows: ({ frame, state }) => narrowed(frame.descriptors, state.filter, ({ pid, comm, uid }) => ({ pid, comm, uid })),
  key: ({ pid }) => String(pid),
  mark: ({ usedShare = 0, closeWait = 0 }) =>
    usedShare >= NEARLY_ALL || closeWait > 0 ? { text: '!', ink: 'yellow' } : ' ',
  empty: ({ frame }) =>
    frame.descriptors.length > 0
      ? 'No process meets the filter.'
      : 'No descriptors that we may read; ! says what would help.',
  detail,
});

function usedCell({ usedShare }: DescriptorRow): Span | undefined {
  const text = percent(usedShare);
  return text !== undefined && (usedShare ?? 0) >= NEARLY_ALL ? { text, ink: 'yellow' } : text;
}

function growthCell({ growthPerS }: DescriptorRow): string | undefined {
  if (growthPerS === undefined) return undefined;
  return growthPerS < 0 ? `-${perSecond(-growthPerS)}` : `${growthPerS > 0 ? '+' : ''}${perSecond(growthPerS)}`;
}

function closeWaitCell({ closeWait }: DescriptorRow): Span | undefined {
  const text = count(closeWait);
  return text !== undefined && (closeWait ?? 0) > 0 ? { text, ink: 'yellow' } : text;
}

function detail(row: DescriptorRow, { columns }: Scene): readonly Line[] {
  const line = (label: string, text: string | undefined) => labelled(label, text, columns);
  return [
    heading(`${row.comm}  pid ${row.pid}, uid ${row.uid}`),
    ...line(
      'Open',
      listed(String(row.open), around('', percent(row.usedShare), ' of the limit'), around('', growthCell(row))),
    ),
    ...line('Limit', listed(around('soft ', row.softLimit), around('hard ', row.hardLimit)) ?? 'none, or not readable'),
    ...line('Sockets', `${row.sockets}: ${row.tcp} TCP, ${row.udp} UDP, ${row.unix} unix`),
    ...line('Close-wait', around('', row.closeWait, ' connections that the peer closed and the process did not')),
    ...line('Epoll sets', around('', row.epollSets)),
    ...line(
      'Inheritable',
      around('', row.socketsInheritable, ' sockets without CLOEXEC, in a process that has children'),
    ),
    [],
    [{ text: ` Each descriptor with its peer: sockdoc fds ${row.pid}`, ink: 'dim' }],
  ];
}
