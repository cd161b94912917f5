import { LIMITS, TRANSPORTS } from '../model/views/connections.js';
import type { FilterField } from '../model/views/filter.js';

/** As sock_diag numbers them, in our spelling. */
export const STATES = [
  'established',
  'syn-sent',
  'syn-recv',
  'fin-wait-1',
  'fin-wait-2',
  'time-wait',
  'close',
  'close-wait',
  'last-ack',
  'listen',
  'closing',
  'new-syn-recv',
  'bound-inactive',
] as const;

/** What ss and netstat call some of them. */
export const STATE_ALIASES: Readonly<Record<string, string>> = {
  estab: 'established',
  listening: 'listen',
  closed: 'close',
  unconn: 'close',
};

export type Quantity = 'time' | 'bytes' | 'rate' | 'count';
type Kind = Quantity | 'integer' | 'port' | 'text' | 'address' | 'peer' | 'flag';

export interface FieldRule {
  kind: Kind;
  /** The only values there are. */
  words?: readonly string[];
  /** Stands for several values of a row. */
  either?: true;
}

/** How the values of each field are written. */
export const FIELDS: Readonly<Record<FilterField, FieldRule>> = {
  pid: { kind: 'integer' },
  comm: { kind: 'text' },
  fd: { kind: 'integer' },
  uid: { kind: 'integer' },
  state: { kind: 'text', words: STATES },
  netns: { kind: 'text' },
  container: { kind: 'text' },
  port: { kind: 'port', either: true },
  lport: { kind: 'port' },
  rport: { kind: 'port' },
  addr: { kind: 'address', either: true },
  laddr: { kind: 'address' },
  raddr: { kind: 'address' },
  peer: { kind: 'peer' },
  rtt: { kind: 'time' },
  rttvar: { kind: 'time' },
  minrtt: { kind: 'time' },
  age: { kind: 'time' },
  idle: { kind: 'time' },
  retrans: { kind: 'count' },
  retransrate: { kind: 'count' },
  sendq: { kind: 'bytes' },
  recvq: { kind: 'bytes' },
  unsent: { kind: 'bytes' },
  sent: { kind: 'bytes' },
  received: { kind: 'bytes' },
  tx: { kind: 'rate' },
  rx: { kind: 'rate' },
  rate: { kind: 'rate' },
  delivery: { kind: 'rate' },
  drops: { kind: 'count' },
  cwnd: { kind: 'count' },
  limit: { kind: 'text', words: LIMITS },
  cc: { kind: 'text' },
  transport: { kind: 'text', words: TRANSPORTS },
  local: { kind: 'flag' },
};
