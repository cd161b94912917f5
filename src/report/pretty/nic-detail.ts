import type {
  NicCounter,
  NicDetail,
  NicDocument,
  NicIrq,
  NicQdisc,
  NicRow,
  QueueRates,
} from '../../model/views/nic.js';
import type { Column } from '../table.js';
import { bitRate, count, perSecond } from '../units.js';
import { durationText } from '../values.js';
import { factsOf } from './nic-facts.js';
import type { Paper } from './paper.js';

/** Counters that say that something goes wrong. */
const TROUBLE =
  /drop|err|miss|discard|fail|over|timeout|crc|bad|nohandler|exceed|no_?buf|out_of|carrier|collision|pause/i;
const LABEL = 14;
const MOST_ROWS = 64;

interface Options {
  verbose: boolean;
  /** Height of the terminal where one reading follows the other: what moves comes first then. */
  rows?: number;
}

/** One interface: what it is, how it is set, what it moves. */
export function writeNic(paper: Paper, document: NicDocument, { verbose, rows }: Options): void {
  const { detail, interfaces, windowMs } = document;
  const [row] = interfaces;
  if (!detail || !row) return;
  writeHead(paper, row, detail);
  writeRates(paper, row, windowMs);
  const parts = [() => writeFacts(paper, detail, verbose), () => writeMoving(paper, detail, verbose)];
  for (const write of rows === undefined ? parts : parts.reverse()) write();
  writeRdma(paper, detail);
}

function writeFacts(paper: Paper, detail: NicDetail, verbose: boolean): void {
  for (const { title, facts } of factsOf(detail, verbose)) {
    if (facts.length === 0) continue;
    paper.blank();
    paper.text(title, { ink: 'bold' });
    for (const { label, text, ink } of facts)
      paper.text(text, { first: `  ${label.padEnd(LABEL)}`, ...(ink ? { ink } : {}) });
  }
}

function writeMoving(paper: Paper, detail: NicDetail, verbose: boolean): void {
  section(paper, 'Queues', QUEUE_COLUMNS, detail.queues, verbose);
  section(paper, 'Interrupts', IRQ_COLUMNS, detail.irqs, verbose);
  section(paper, 'Queueing disciplines', QDISC_COLUMNS, detail.qdiscs, verbose);
  const counters = verbose ? detail.counters : detail.counters.filter(({ name }) => TROUBLE.test(name));
  section(paper, verbose ? 'Counters' : 'Counters of trouble (all: --verbose)', COUNTER_COLUMNS, counters, true);
}

function writeHead(paper: Paper, row: NicRow, { link }: NicDetail): void {
  const { name, netns, state, speedBps, mtuBytes, driver, kind, numaNode } = row;
  paper.text(
    [
      name,
      ...(netns === undefined ? [] : [`network namespace ${netns}`]),
      ...(link.up ? [state] : ['set down']),
      ...(speedBps === undefined ? [] : [`${bitRate(speedBps)}${link.duplex ? ` ${link.duplex} duplex` : ''}`]),
      `MTU ${mtuBytes}`,
      ...(driver === undefined && kind === undefined ? [] : [driver ?? kind]),
      ...(link.bus ? [link.bus] : []),
      ...(numaNode === undefined ? [] : [`NUMA node ${numaNode}`]),
    ].join(' · '),
    { ink: link.up && state !== 'down' && state !== 'lower-layer-down' ? 'bold' : 'yellow' },
  );
}

interface Direction {
  direction: string;
  bps: number | undefined;
  packets: number | undefined;
  drops: number | undefined;
  qdiscDrops: number | undefined;
}

function writeRates(paper: Paper, row: NicRow, windowMs: number): void {
  if (windowMs === 0) return;
  paper.blank();
  paper.table(RATE_COLUMNS, [
    { direction: 'receive', bps: row.rxBps, packets: row.rxPacketsPerS, drops: row.rxDropsPerS, qdiscDrops: undefined },
    {
      direction: 'transmit',
      bps: row.txBps,
      packets: row.txPacketsPerS,
      drops: row.txDropsPerS,
      qdiscDrops: row.qdiscDropsPerS,
    },
  ]);
  const errors = row.errorsPerS ? `, ${perSecond(row.errorsPerS)} errors` : '';
  paper.text(`over ${durationText(windowMs)}${errors}`, { ink: 'dim' });
}

const alarming = (value: number | undefined) => {
  const text = perSecond(value);
  return text !== undefined && value ? { text, ink: 'red' as const } : text;
};

const RATE_COLUMNS: Column<Direction>[] = [
  { title: 'DIRECTION', cell: ({ direction }) => direction, priority: 0 },
  { title: 'RATE', cell: ({ bps }) => bitRate(bps), align: 'right', priority: 0 },
  { title: 'PACKETS', cell: ({ packets }) => perSecond(packets), align: 'right', priority: 0 },
  { title: 'DROPS', cell: ({ drops }) => alarming(drops), align: 'right', priority: 0 },
  { title: 'QDISC DROPS', cell: ({ qdiscDrops }) => alarming(qdiscDrops), align: 'right', priority: 1 },
];

function section<Row>(
  paper: Paper,
  title: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  all: boolean,
): void {
  if (rows.length === 0) return;
  const shown = all ? rows : rows.slice(0, MOST_ROWS);
  paper.blank();
  paper.text(title, { ink: 'bold' });
  paper.table(columns, shown);
  if (shown.length < rows.length) paper.text(`and ${rows.length - shown.length} more (--verbose)`, { ink: 'dim' });
}

const QUEUE_COLUMNS: Column<QueueRates>[] = [
  { title: 'QUEUE', cell: ({ direction, index }) => `${direction}-${index}`, priority: 0 },
  { title: 'RATE', cell: ({ bps }) => bitRate(bps), align: 'right', priority: 0 },
  { title: 'PACKETS', cell: ({ packetsPerS }) => perSecond(packetsPerS), align: 'right', priority: 0 },
  { title: 'DROPS', cell: ({ dropsPerS }) => alarming(dropsPerS), align: 'right', priority: 1 },
  { title: 'PACKETS IN ALL', cell: ({ packets }) => count(packets), align: 'right', priority: 2 },
  { title: 'DROPS IN ALL', cell: ({ drops }) => count(drops), align: 'right', priority: 2 },
];

const IRQ_COLUMNS: Column<NicIrq>[] = [
  { title: 'IRQ', cell: ({ irq }) => irq, align: 'right', priority: 0 },
  { title: 'NAME', cell: ({ name }) => name, priority: 0, min: 12 },
  { title: 'RATE', cell: ({ perS }) => perSecond(perS), align: 'right', priority: 0 },
  { title: 'ON CPU', cell: ({ cpus }) => cpus?.join(','), priority: 1, max: 20 },
  { title: 'MAY RUN ON', cell: ({ affinity }) => affinity, priority: 2, max: 20 },
  { title: 'RUNS ON', cell: ({ effectiveAffinity }) => effectiveAffinity, priority: 1, max: 20 },
  { title: 'NUMA', cell: ({ numaNodes }) => numaNodes?.join(','), priority: 3 },
];

const QDISC_COLUMNS: Column<NicQdisc>[] = [
  { title: 'QDISC', cell: ({ kind, handle }) => `${kind} ${handle}`, priority: 0 },
  { title: 'PARENT', cell: ({ parent }) => parent, priority: 1 },
  { title: 'RATE', cell: ({ bps }) => bitRate(bps), align: 'right', priority: 0 },
  { title: 'PACKETS', cell: ({ packetsPerS }) => perSecond(packetsPerS), align: 'right', priority: 2 },
  { title: 'DROPS', cell: ({ dropsPerS }) => alarming(dropsPerS), align: 'right', priority: 0 },
  { title: 'OVERLIMITS', cell: ({ overlimitsPerS }) => perSecond(overlimitsPerS), align: 'right', priority: 3 },
  { title: 'BACKLOG', cell: ({ backlogPackets }) => backlogPackets || undefined, align: 'right', priority: 1 },
  { title: 'DROPS IN ALL', cell: ({ drops }) => count(drops), align: 'right', priority: 2 },
];

const COUNTER_COLUMNS: Column<NicCounter>[] = [
  { title: 'COUNTER', cell: ({ name }) => name, priority: 0, min: 16, max: 48 },
  {
    title: 'RATE',
    cell: ({ name, perS }) => (TROUBLE.test(name) ? alarming(perS) : perSecond(perS)),
    align: 'right',
    priority: 0,
  },
  { title: 'TOTAL', cell: ({ total }) => total, align: 'right', priority: 0 },
  { title: 'FROM', cell: ({ source }) => source, priority: 1 },
];

function writeRdma(paper: Paper, { rdma }: NicDetail): void {
  if (!rdma) return;
  paper.blank();
  paper.text('Can it carry sockets over RDMA?', { ink: 'bold' });
  paper.text(rdma.sentence, { first: '  ', ...(rdma.able ? { ink: 'green' as const } : {}) });
  if (!rdma.next) return;
  paper.text(rdma.next.summary, { first: '  ' });
  for (const command of rdma.next.commands) paper.command(command, '    ');
}
