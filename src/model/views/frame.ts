import { type Static, Type } from '@sinclair/typebox';
import { Gap } from '../gap.js';
import { ConnectionRow, ConnectionTotals } from './connections.js';
import { DescriptorRow } from './descriptors.js';
import { NicRow } from './nic.js';
import { ProcessRow } from './processes.js';
import { SchedulerView } from './scheduler.js';
import { ShortLived } from './short-lived.js';

/**
 * All that the live screen shows at one moment: what `top --json` prints, `top --record` writes and `top --replay`
 * reads. Connections are the first `limit` by the sort order that the screen had.
 */
export const Frame = Type.Object(
  {
    schemaVersion: Type.Literal(1),
    command: Type.Literal('top'),
    version: Type.String(),
    hostname: Type.String(),
    takenAt: Type.String(),
    intervalMs: Type.Number({
      description: 'Between the reading before and this one, as it really was; 0 at the first.',
    }),
    totals: Type.Optional(ConnectionTotals),
    connections: Type.Array(ConnectionRow),
    shortLived: Type.Optional(ShortLived),
    processes: Type.Array(ProcessRow),
    scheduler: Type.Optional(SchedulerView),
    descriptors: Type.Array(DescriptorRow),
    nics: Type.Array(NicRow),
    self: Type.Object({
      cpuShare: Type.Optional(Type.Number({ description: 'What sockdoc itself costs: 1.0 is one whole CPU.' })),
      memoryBytes: Type.Integer(),
      readMs: Type.Number({ description: 'How long this reading took.' }),
    }),
    gaps: Type.Array(Gap),
  },
  { $id: 'top', title: 'sockdoc top --json (one per line)' },
);
export type Frame = Static<typeof Frame>;
