import { TRANSPORTS } from '../../model/views/connections.js';
import { count, percent } from '../../report/units.js';
import type { Line } from '../draw/spans.js';
import type { Column } from '../draw/table.js';
import { heading, labelled } from './detail-lines.js';
import { listTab, type Scene, UNREAD } from './tab.js';

interface ReasonRow {
  transport: string;
  reason: string;
  connections: number;
  share: number;
}

const COLUMNS: readonly Column<ReasonRow>[] = [
  { title: 'TRANSPORT', width: 10, priority: 0, cell: ({ transport }) => transport },
  {
    title: 'CONNS',
    width: 7,
    align: 'right',
    priority: 0,
    order: (row) => row.connections,
    cell: (row) => count(row.connections),
  },
  { title: 'SHARE', width: 7, align: 'right', priority: 1, cell: ({ share }) => percent(share) },
  {
    title: 'WHY NOT IN USER SPACE',
    width: 22,
    max: 200,
    priority: 0,
    sort: 'reason',
    order: ({ reason }) => reason,
    cell: ({ reason }) => reason,
  },
];

/** Which connections run over the kernel and why; none can be attached to yet. */
export const userSpace = listTab<ReasonRow>({
  title: 'User space',
  columns: COLUMNS,
  rows: ({ frame }) => reasonsOf(frame.connections),
  key: ({ transport, reason }) => `${transport} ${reason}`,
  above,
  empty: ({ frame }) => (frame.totals === undefined ? UNREAD : 'No connections.'),
  detail: (row, { columns }) => [
    heading(`${row.transport}: ${row.connections} connections`),
    ...labelled('Why', row.reason, columns),
  ],
});

function reasonsOf(connections: Scene['frame']['connections']): ReasonRow[] {
  const rows = new Map<string, ReasonRow>();
  const talking = connections.filter(({ state }) => state !== 'listen');
  for (const { transport, reason = '' } of talking) {
    const key = `${transport} ${reason}`;
    const row = rows.get(key) ?? { transport, reason, connections: 0, share: 0 };
    const connections = row.connections + 1;
    rows.set(key, { ...row, connections, share: connections / talking.length });
  }
  return [...rows.values()];
}

function above({ frame }: Scene): readonly Line[] {
  if (frame.totals === undefined) return [];
  const talking = frame.connections.filter(({ state }) => state !== 'listen');
  const counts = TRANSPORTS.map((name) => `${name} ${talking.filter(({ transport }) => transport === name).length}`);
  const { matching } = frame.totals;
  const part = matching > frame.connections.length ? `, the first ${frame.connections.length} of ${matching}` : '';
  return [[` Sockets by transport: ${counts.join(', ')}${part}`]];
}
