import type { ConnectionRow } from '../../src/model/views/connections.js';
import type { Frame } from '../../src/model/views/frame.js';
import type { FrameRequest } from '../../src/model/views/request.js';
import { connectionOf } from './filter-cases.js';

/** A frame of which only what is always there is known. */
export function frameOf({ totals, ...parts }: Partial<Frame> = {}): Frame {
  const connections = parts.connections ?? [];
  return {
    schemaVersion: 1,
    command: 'top',
    version: '0.1.0',
    hostname: 'host',
    takenAt: '2026-01-02T03:04:05.000Z',
    intervalMs: 1000,
    totals: { sockets: connections.length, states: {}, matching: connections.length, ...totals },
    connections,
    processes: [],
    descriptors: [],
    nics: [],
    self: { memoryBytes: 2 ** 26, readMs: 5 },
    gaps: [],
    ...parts,
  };
}

/** Connections that differ in all that rows are told apart by. */
export const connectionsOf = (count: number, parts: (i: number) => Partial<ConnectionRow> = () => ({})) =>
  Array.from({ length: count }, (_, i) =>
    connectionOf({
      cookie: (i + 1).toString(16),
      inode: 1000 + i,
      local: `10.0.0.1:${2000 + i}`,
      remote: '10.0.0.2:443',
      pid: 100 + i,
      comm: `worker${i}`,
      fd: i,
      rttUs: 100 * (i + 1),
      rates: { windowMs: 1000, sendBps: 1e6 * (count - i), receiveBps: 1000 },
      ...parts(i),
    }),
  );

export const requestOf = (parts: Partial<FrameRequest> = {}): FrameRequest => ({
  intervalMs: 1000,
  sort: 'rate',
  reverse: false,
  filter: [],
  limit: 500,
  keep: [],
  ...parts,
});
