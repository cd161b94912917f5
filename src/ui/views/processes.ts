import type { ProcessRow } from '../../model/views/processes.js';
import { bitRate, bytes, count, milliseconds, percent, perSecond } from '../../report/units.js';
import type { Line, Span } from '../draw/spans.js';
import { type Column, measured } from '../draw/table.js';
import { around, heading, labelled, listed } from './detail-lines.js';
import { narrowed } from './narrow.js';
import { listTab, type Scene, UNREAD } from './tab.js';

const right = { align: 'right' } as const;

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
  { title: 'PID', width: 7, ...right, priority: 0, order: ({ pid }) => -pid, cell: ({ pid }) => String(pid) },
  measured('CPU', 6, 0, (row) => row.cpuShare, percent),
  measured('KERNEL', 7, 2, (row) => row.kernelShare, percent),
  measured('SOCKETS', 7, 3, (row) => row.socketShare, percent),
  {
    title: 'WAITS/s',
    width: 8,
    ...right,
    priority: 1,
    order: (row) => row.runDelayMsPerS,
    cell: (row) => delayCell(row),
  },
  measured('CONNS', 6, 0, (row) => row.connections, count),
  measured('LISTEN', 6, 7, (row) => row.listeners, count),
  measured('TX b/s', 7, 1, (row) => row.sendBps, count, 'tx'),
  measured('RX b/s', 7, 2, (row) => row.receiveBps, count, 'rx'),
  measured('RETR/s', 7, 4, (row) => row.retransmitsPerS, perSecond),
  measured('ENDED/s', 7, 5, (row) => row.endedPerS, perSecond),
  measured('SWITCH/s', 8, 6, (row) => row.voluntarySwitchesPerS, perSecond),
  measured('INVOL/s', 8, 8, (row) => row.involuntarySwitchesPerS, perSecond),
  measured('THREADS', 7, 9, (row) => row.threads, count),
  measured('UDP', 5, 10, (row) => row.udp, count),
  measured('UNIX', 5, 10, (row) => row.unix, count),
  { title: 'WHERE', width: 10, max: 24, priority: 11, cell: ({ container, netns }) => container ?? netns },
];

/** More waiting than this is worth a colour: a tenth of one CPU's time. */
const MUCH_DELAY_MS = 100;

export const processes = listTab<ProcessRow>({
  title: 'Processes',
  columns: COLUMNS,
  sorts: [
    'cpu',
    'tx',
    'rx',
    'conns',
    'waits/s',
    'kernel',
    'sockets',
    'retr/s',
    'ended/s',
    'switch/s',
    'pid',
    'process',
  ],
  rows: ({ frame, state }) => narrowed(frame.processes, state.filter, (row) => row),
  key: ({ pid }) => String(pid),
  mark: (row) => ((row.runDelayMsPerS ?? 0) >= MUCH_DELAY_MS ? { text: '!', ink: 'yellow' } : ' '),
  empty: ({ frame }) => {
    if (frame.totals === undefined) return UNREAD;
    if (frame.processes.length > 0) return 'No process meets the filter.';
    if (frame.totals.sockets > 0 && frame.gaps.length > 0)
      return 'No process that we may look into holds a socket; ! says what would help.';
    return 'No process holds a socket.';
  },
  detail,
});

function delayCell({ runDelayMsPerS }: ProcessRow): Span | undefined {
  const text = milliseconds(runDelayMsPerS);
  if (text === undefined) return undefined;
  return (runDelayMsPerS ?? 0) >= MUCH_DELAY_MS ? { text, ink: 'yellow' } : text;
}

function detail(row: ProcessRow, { columns, frame, style }: Scene): readonly Line[] {
  const line = (label: string, text: string | undefined) => labelled(label, text, columns);
  const own = frame.connections.filter(({ pid }) => pid === row.pid);
  const arrow = style.unicode ? '↔' : '<->';
  return [
    heading(`${row.comm}  pid ${row.pid}, child of ${row.ppid}`),
    ...line('Command', row.commandLine),
    ...line(
      'Where',
      listed(`uid ${row.uid}`, around('container ', row.container), around('network namespace ', row.netns)),
    ),
    ...line('Cgroup', row.cgroup),
    ...line(
      'CPU',
      listed(
        percent(row.cpuShare),
        around('', percent(row.kernelShare), ' of it in the kernel'),
        around('', percent(row.socketShare), ` in socket calls (${row.socketShareSamples ?? '?'} samples)`),
      ),
    ),
    ...line('Waits', around('', milliseconds(row.runDelayMsPerS), ' per second, runnable but without a CPU')),
    ...line(
      'Switches',
      listed(
        around('', perSecond(row.voluntarySwitchesPerS), ' voluntary'),
        around('', perSecond(row.involuntarySwitchesPerS), ' involuntary'),
      ),
    ),
    ...line('Threads', String(row.threads)),
    ...line('Sockets', `${row.connections} connections, ${row.listeners} listeners, ${row.udp} UDP, ${row.unix} unix`),
    ...line('Descriptors', listed(row.descriptors?.toString(), around('limit ', row.descriptorLimit))),
    ...line(
      'Traffic',
      listed(
        around('sends ', bitRate(row.sendBps)),
        around('receives ', bitRate(row.receiveBps)),
        around('', perSecond(row.retransmitsPerS), ' retransmitted'),
        around('', perSecond(row.endedPerS), ' connections ended'),
      ),
    ),
    ...own.flatMap(({ local, remote, state, ...rest }, i) =>
      line(
        i === 0 ? 'Connections' : '',
        listed(
          `${local} ${arrow} ${remote} ${state}`,
          around('unread ', rest.recvQueueBytes > 0 ? bytes(rest.recvQueueBytes) : undefined),
        ),
      ),
    ),
  ];
}
