import type { CpuRow, Histogram, SchedulerView, ThreadRow } from '../../model/views/scheduler.js';
import { count, microseconds, milliseconds, percent, perSecond } from '../../report/units.js';
import { bar, histogramLine, quantile } from '../draw/graphs.js';
import type { Line, Span } from '../draw/spans.js';
import { lineWidth } from '../draw/spans.js';
import { type Column, measured } from '../draw/table.js';
import { around, heading, labelled, listed } from './detail-lines.js';
import { narrowed } from './narrow.js';
import { listTab, type Scene } from './tab.js';

const right = { align: 'right' } as const;
const MUCH_DELAY_US = 10_000;

const COLUMNS: readonly Column<ThreadRow>[] = [
  { title: 'THREAD', width: 10, max: 16, priority: 0, order: ({ comm }) => comm, cell: ({ comm }) => comm },
  { title: 'TID', width: 7, ...right, priority: 1, order: ({ tid }) => -tid, cell: ({ tid }) => String(tid) },
  { title: 'PROCESS', width: 10, max: 16, priority: 5, cell: ({ process }) => process },
  {
    title: 'SOCKETS',
    width: 7,
    priority: 4,
    order: (row) => Number(row.servesSockets),
    cell: (row) => (row.servesSockets ? 'serves' : undefined),
  },
  measured('CPU', 6, 0, (row) => row.cpuShare, percent, 'cpu'),
  measured('WAITS/s', 8, 0, (row) => row.runDelayMsPerS, milliseconds),
  {
    title: 'MEAN',
    width: 8,
    ...right,
    priority: 2,
    order: (row) => row.meanDelayUs,
    cell: (row) => delayCell(row.meanDelayUs),
  },
  {
    title: 'MAX',
    width: 8,
    ...right,
    priority: 3,
    order: (row) => row.maxDelayUs,
    cell: (row) => delayCell(row.maxDelayUs),
  },
  measured('VOL/s', 7, 3, (row) => row.voluntarySwitchesPerS, perSecond),
  measured('INVOL/s', 7, 2, (row) => row.involuntarySwitchesPerS, perSecond),
  measured('MIGR/s', 7, 6, (row) => row.migrationsPerS, perSecond),
  { title: 'ON', width: 4, ...right, priority: 7, cell: ({ cpu }) => String(cpu) },
  { title: 'S', width: 1, priority: 7, cell: ({ state }) => state },
  { title: 'IN', width: 12, max: 24, priority: 8, cell: ({ call, waitChannel }) => call ?? waitChannel },
];

export const scheduler = listTab<ThreadRow>({
  title: 'Scheduler',
  columns: COLUMNS,
  sorts: ['who serves sockets', 'waits/s', 'cpu', 'mean', 'max', 'invol/s', 'vol/s', 'migr/s', 'tid', 'thread'],
  rows: ({ frame, state }) =>
    narrowed(frame.scheduler?.threads ?? [], state.filter, ({ pid, process }) => ({ pid, comm: process })),
  key: ({ tid }) => String(tid),
  mark: ({ maxDelayUs = 0, meanDelayUs = 0 }) =>
    Math.max(maxDelayUs, meanDelayUs) >= MUCH_DELAY_US ? { text: '!', ink: 'yellow' } : ' ',
  above,
  empty: ({ frame, state }) =>
    frame.scheduler === undefined
      ? 'The scheduler was not read: ! says why.'
      : state.filter.length > 0
        ? 'No thread meets the filter.'
        : 'No threads.',
  detail,
});

function delayCell(us: number | undefined): Span | undefined {
  const text = microseconds(us);
  return text !== undefined && (us ?? 0) >= MUCH_DELAY_US ? { text, ink: 'yellow' } : text;
}

function above(scene: Scene): readonly Line[] {
  const view = scene.frame.scheduler;
  if (view === undefined) return [];
  return [
    sourceLine(view),
    ...histogram('Run-queue delay', view.runDelay, scene),
    ...histogram('Wake-up latency', view.wakeupLatency, scene),
    ...cpuLines(view.cpus, scene),
  ];
}

function sourceLine({ source, runnable, switchesPerS, threadsLeftOut }: SchedulerView): Line {
  const how = source === 'bpf' ? 'every wake-up, by tracepoints' : 'sums per thread, from /proc (no histograms)';
  return [
    ' ',
    listed(
      how,
      around('', runnable, ' runnable'),
      around('', perSecond(switchesPerS), ' switches'),
      threadsLeftOut > 0 && `${count(threadsLeftOut)} threads left out`,
    ) ?? '',
  ];
}

function histogram(label: string, value: Histogram | undefined, { style, columns }: Scene): Line[] {
  if (value === undefined) return [];
  const numbers =
    listed(
      around('half ', quantile(value, 0.5)),
      around('99 % ', quantile(value, 0.99)),
      around('max ', microseconds(value.maxUs)),
    ) ?? 'none';
  const text = ` ${label}  ${numbers}  `;
  return [[{ text: text.padEnd(58) }, { text: histogramLine(value, Math.max(0, columns - 58), style), ink: 'cyan' }]];
}

/** As many CPUs beside each other as fit, at most three lines of them: the busiest if there are more. */
function cpuLines(cpus: readonly CpuRow[], { style, columns }: Scene): Line[] {
  const WIDTH = 30;
  const perLine = Math.max(1, Math.floor((columns - 1) / WIDTH));
  const most = perLine * 3;
  const shown =
    cpus.length <= most ? cpus : cpus.toSorted((a, b) => (b.busyShare ?? 0) - (a.busyShare ?? 0)).slice(0, most);
  const lines: Line[] = [];
  for (let at = 0; at < shown.length; at += perLine)
    lines.push([' ', ...shown.slice(at, at + perLine).flatMap((row) => fixed(cpuSpans(row, style), WIDTH, style))]);
  return lines;
}

function cpuSpans({ cpu, busyShare, runQueueLength }: CpuRow, style: Scene['style']): Line {
  const name = `cpu${cpu}`.padEnd(7);
  const queue = around(' q', runQueueLength === undefined ? undefined : Math.round(runQueueLength)) ?? '';
  if (busyShare === undefined) return [name, queue];
  const full = busyShare >= 0.9;
  return [
    name,
    { text: bar(busyShare, 8, style), ink: full ? 'yellow' : 'cyan' },
    `${(percent(busyShare) ?? '').padStart(7)}${full ? '!' : ' '}${queue}`,
  ];
}

const fixed = (line: Line, room: number, style: Scene['style']): Line => [
  ...line,
  ' '.repeat(Math.max(0, room - lineWidth(line, style))),
];

function detail(row: ThreadRow, scene: Scene): readonly Line[] {
  const line = (label: string, text: string | undefined) => labelled(label, text, scene.columns);
  return [
    heading(`${row.comm}  tid ${row.tid} of ${row.process} pid ${row.pid}`),
    ...line('Sockets', row.servesSockets ? 'this thread serves sockets' : undefined),
    ...line(
      'State',
      listed(row.state, `last on CPU ${row.cpu}`, around('in ', row.call), around('waits in ', row.waitChannel)),
    ),
    ...line('CPU', percent(row.cpuShare)),
    ...line(
      'Waits',
      listed(
        around('', milliseconds(row.runDelayMsPerS), ' per second'),
        around('mean ', microseconds(row.meanDelayUs)),
        around('max ', microseconds(row.maxDelayUs)),
      ),
    ),
    ...line(
      'Switches',
      listed(
        around('', perSecond(row.voluntarySwitchesPerS), ' voluntary'),
        around('', perSecond(row.involuntarySwitchesPerS), ' involuntary'),
        around('', perSecond(row.migrationsPerS), ' migrations'),
      ),
    ),
    ...histogram('Run-queue delay', row.runDelay, scene),
  ];
}
