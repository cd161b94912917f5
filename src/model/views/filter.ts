/** What a filter compares: fields of ConnectionRow, or sums of them. */
export const FILTER_FIELDS = [
  'pid',
  'comm',
  'fd',
  'uid',
  'state',
  'netns',
  'container',
  'port', // either side
  'lport',
  'rport',
  'addr', // either side; ADDR or ADDR/BITS
  'laddr',
  'raddr',
  'peer', // comm or pid of the local peer
  'rtt', // µs from here on for times
  'rttvar',
  'minrtt',
  'age',
  'idle',
  'retrans', // since it began
  'retransrate', // per second
  'sendq',
  'recvq',
  'unsent',
  'sent',
  'received',
  'tx', // bits per second
  'rx',
  'rate', // tx + rx
  'delivery',
  'drops',
  'cwnd',
  'limit', // limitedBy
  'cc',
  'transport',
  'local', // a flag: both ends on this host
] as const;
export type FilterField = (typeof FILTER_FIELDS)[number];

export type FilterOperator = '=' | '!=' | '>' | '>=' | '<' | '<=';

/** One condition: true when any of the values meets the operator ("port:80,443"); `!=` when none is equal. */
export interface FilterTerm {
  field: FilterField;
  operator: FilterOperator;
  /** Numbers in the base unit of the field (µs, bytes, bit/s, 1), texts otherwise; a trailing * matches a beginning. */
  values: (string | number)[];
}

/** All terms must hold. A row that lacks a field does not meet a condition on it, whatever the operator. */
export type Filter = FilterTerm[];
