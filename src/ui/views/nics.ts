import type { NicRow } from '../../model/views/nic.js';
import { bitRate, count, perSecond } from '../../report/units.js';
import type { Line, Span } from '../draw/spans.js';
import { type Column, measured } from '../draw/table.js';
import { around, heading, labelled, listed } from './detail-lines.js';
import { listTab, type Scene } from './tab.js';

const right = { align: 'right' } as const;

const COLUMNS: readonly Column<NicRow>[] = [
  { title: 'INTERFACE', width: 9, max: 16, priority: 0, order: ({ name }) => name, cell: ({ name }) => name },
  { title: 'STATE', width: 7, priority: 1, cell: (row) => stateCell(row) },
  measured('SPEED', 10, 2, (row) => row.speedBps, bitRate),
  measured('RX b/s', 7, 0, (row) => row.rxBps, count, 'rx'),
  measured('TX b/s', 7, 0, (row) => row.txBps, count, 'tx'),
  measured('RX pkt/s', 8, 3, (row) => row.rxPacketsPerS, perSecond),
  measured('TX pkt/s', 8, 3, (row) => row.txPacketsPerS, perSecond),
  {
    title: 'RX DROP',
    width: 7,
    ...right,
    priority: 1,
    order: (row) => row.rxDropsPerS,
    cell: (row) => lossCell(row.rxDropsPerS),
  },
  {
    title: 'TX DROP',
    width: 7,
    ...right,
    priority: 1,
    order: (row) => row.txDropsPerS,
    cell: (row) => lossCell(row.txDropsPerS),
  },
  {
    title: 'ERRORS',
    width: 7,
    ...right,
    priority: 1,
    order: (row) => row.errorsPerS,
    cell: (row) => lossCell(row.errorsPerS),
  },
  {
    title: 'QUEUES',
    width: 7,
    ...right,
    priority: 5,
    cell: ({ rxQueues, txQueues }) => around('', rxQueues, `/${txQueues ?? '?'}`),
  },
  { title: 'QDISC', width: 8, max: 12, priority: 6, cell: ({ qdisc }) => qdisc },
  { title: 'DRIVER', width: 9, max: 12, priority: 7, cell: ({ driver }) => driver },
  { title: 'MTU', width: 5, ...right, priority: 8, cell: ({ mtuBytes }) => String(mtuBytes) },
  { title: 'NUMA', width: 4, ...right, priority: 9, cell: ({ numaNode }) => numaNode?.toString() },
  { title: 'RDMA', width: 10, max: 20, priority: 9, cell: ({ rdma }) => rdma },
  { title: 'NETNS', width: 8, max: 14, priority: 10, cell: ({ netns }) => netns },
];

export const nics = listTab<NicRow>({
  title: 'NIC',
  columns: COLUMNS,
  sorts: ['rx', 'tx', 'rx pkt/s', 'rx drop', 'tx drop', 'errors', 'interface'],
  rows: ({ frame }) => frame.nics,
  key: ({ name, netns }) => `${netns ?? ''}/${name}`,
  mark: ({ rxDropsPerS = 0, txDropsPerS = 0, errorsPerS = 0 }) =>
    rxDropsPerS + txDropsPerS + errorsPerS > 0 ? { text: '!', ink: 'yellow' } : ' ',
  empty: () => 'No interface was read.',
  detail,
});

function stateCell({ state }: NicRow): Span {
  return state === 'up' ? state : { text: state, ink: state === 'down' ? 'yellow' : 'dim' };
}

function lossCell(value: number | undefined): Span | undefined {
  const text = perSecond(value);
  return text !== undefined && (value ?? 0) > 0 ? { text, ink: 'yellow' } : text;
}

function detail(row: NicRow, { columns }: Scene): readonly Line[] {
  const line = (label: string, text: string | undefined) => labelled(label, text, columns);
  return [
    heading(`${row.name}  ${row.state}`),
    ...line('Driver', row.driver),
    ...line('Where', listed(around('network namespace ', row.netns), around('NUMA node ', row.numaNode))),
    ...line('Speed', bitRate(row.speedBps)),
    ...line(
      'Receives',
      listed(
        bitRate(row.rxBps),
        around('', perSecond(row.rxPacketsPerS), ' packets'),
        around('', perSecond(row.rxDropsPerS), ' dropped'),
      ),
    ),
    ...line(
      'Sends',
      listed(
        bitRate(row.txBps),
        around('', perSecond(row.txPacketsPerS), ' packets'),
        around('', perSecond(row.txDropsPerS), ' dropped'),
      ),
    ),
    ...line('Errors', perSecond(row.errorsPerS)),
    ...line('Queues', listed(around('receive ', row.rxQueues), around('transmit ', row.txQueues), row.qdisc)),
    ...line('MTU', `${row.mtuBytes}`),
    ...line('RDMA', row.rdma),
    [],
    [{ text: ` Rings, offloads, interrupts: sockdoc nic ${row.name}`, ink: 'dim' }],
  ];
}
