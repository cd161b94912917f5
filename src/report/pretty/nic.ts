import type { NicDocument, NicRow } from '../../model/views/nic.js';
import type { Cell, Column } from '../table.js';
import { bitRate, perSecond } from '../units.js';
import { writeGaps } from './gaps.js';
import { writeNic } from './nic-detail.js';
import { type Look, Paper } from './paper.js';

interface Options extends Look {
  verbose: boolean;
  all: boolean;
  interactive: boolean;
  /** Height of the terminal where one reading follows the other. */
  rows?: number;
}

const NEARLY_FULL = 0.9;
/** A host of containers has hundreds of interfaces. */
const MOST_ROWS = 40;

export function prettyNic(document: NicDocument, options: Options): string {
  const paper = new Paper(options);
  if (document.detail) writeNic(paper, document, options);
  else writeRows(paper, document, options);
  writeGaps(paper, document.gaps, options);
  return paper.toString();
}

function writeRows(paper: Paper, { interfaces, gaps }: NicDocument, { all, interactive, rows }: Options): void {
  const room = rows === undefined ? MOST_ROWS : Math.max(1, rows - 2 - gaps.length * 2);
  if (all || !interactive || interfaces.length <= room) return void paper.table(COLUMNS, interfaces);
  const shown = new Set(interfaces.toSorted(byInterest).slice(0, room));
  paper.table(
    COLUMNS,
    interfaces.filter((row) => shown.has(row)),
  );
  paper.text(`and ${interfaces.length - room} quieter ones (--all)`, { ink: 'dim' });
}

/** What loses packets, then what moves most; of those at rest the ones with a card. */
function byInterest(a: NicRow, b: NicRow): number {
  const lost = ({ rxDropsPerS = 0, txDropsPerS = 0, qdiscDropsPerS = 0, errorsPerS = 0 }: NicRow) =>
    rxDropsPerS + txDropsPerS + qdiscDropsPerS + errorsPerS;
  const moved = ({ rxBps = 0, txBps = 0 }: NicRow) => rxBps + txBps;
  return lost(b) - lost(a) || moved(b) - moved(a) || Number(a.kind !== undefined) - Number(b.kind !== undefined);
}

const COLUMNS: Column<NicRow>[] = [
  { title: 'INTERFACE', cell: ({ name }) => name, priority: 0 },
  { title: 'NETNS', cell: ({ netns }) => netns, priority: 4, min: 8 },
  { title: 'STATE', cell: stateOf, priority: 1 },
  { title: 'SPEED', cell: ({ speedBps }) => bitRate(speedBps), align: 'right', priority: 3 },
  { title: 'RX', cell: ({ rxBps, speedBps }) => loaded(rxBps, speedBps), align: 'right', priority: 0 },
  { title: 'TX', cell: ({ txBps, speedBps }) => loaded(txBps, speedBps), align: 'right', priority: 0 },
  { title: 'RX PKT', cell: ({ rxPacketsPerS }) => perSecond(rxPacketsPerS), align: 'right', priority: 3 },
  { title: 'TX PKT', cell: ({ txPacketsPerS }) => perSecond(txPacketsPerS), align: 'right', priority: 3 },
  { title: 'RX DROP', cell: ({ rxDropsPerS }) => alarming(rxDropsPerS), align: 'right', priority: 1 },
  { title: 'TX DROP', cell: ({ txDropsPerS }) => alarming(txDropsPerS), align: 'right', priority: 2 },
  { title: 'QDISC DROP', cell: ({ qdiscDropsPerS }) => alarming(qdiscDropsPerS), align: 'right', priority: 2 },
  { title: 'ERRORS', cell: ({ errorsPerS }) => alarming(errorsPerS), align: 'right', priority: 2 },
  { title: 'QUEUES', cell: queuesOf, priority: 5 },
  { title: 'QDISC', cell: ({ qdisc }) => qdisc, priority: 5 },
  { title: 'MTU', cell: ({ mtuBytes }) => mtuBytes, align: 'right', priority: 6 },
  { title: 'DRIVER', cell: ({ driver, kind }) => driver ?? kind, priority: 4 },
  { title: 'NUMA', cell: ({ numaNode }) => numaNode, align: 'right', priority: 7 },
  { title: 'RDMA', cell: ({ rdma }) => rdma, priority: 6 },
];

function stateOf({ state }: NicRow): Cell {
  if (state === 'up') return { text: state, ink: 'green' };
  return state === 'unknown' ? state : { text: state, ink: 'yellow' };
}

/** Yellow where the link is nearly full. */
function loaded(bps: number | undefined, speedBps: number | undefined): Cell {
  const text = bitRate(bps);
  const full = bps !== undefined && speedBps !== undefined && bps >= NEARLY_FULL * speedBps;
  return text !== undefined && full ? { text, ink: 'yellow' } : text;
}

/** Red from the first one; nothing to look at where there is none. */
function alarming(value: number | undefined): Cell {
  const text = perSecond(value);
  return text !== undefined && value !== undefined && value > 0 ? { text, ink: 'red' } : text;
}

function queuesOf({ rxQueues, txQueues }: NicRow): string | undefined {
  if (rxQueues === undefined && txQueues === undefined) return undefined;
  return `${rxQueues ?? '?'} rx ${txQueues ?? '?'} tx`;
}
