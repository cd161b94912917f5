// Plain words and numbers of the model, apart from the schemas: a command that only needs these starts without them.

/** Version of every document that `--json` prints. */
export const RESULT_SCHEMA_VERSION = 1;

/** Version of what `--save` writes. */
export const SNAPSHOT_SCHEMA_VERSION = 1;

export const STATUSES = ['pass', 'info', 'warn', 'fail', 'skip', 'unknown', 'not-applicable'] as const;
export type Status = (typeof STATUSES)[number];

export const PROFILES = ['general', 'latency', 'throughput', 'connections'] as const;
export type Profile = (typeof PROFILES)[number];

export const CATEGORIES = [
  'tcp',
  'udp',
  'ip',
  'socket',
  'nic',
  'cpu',
  'memory',
  'descriptor',
  'application',
  'rdma',
  'configuration',
] as const;
export type Category = (typeof CATEGORIES)[number];

export const FORMATS = ['pretty', 'json', 'sarif', 'junit', 'markdown'] as const;
export type Format = (typeof FORMATS)[number];

export const FAIL_ON = ['warn', 'fail', 'never'] as const;
/** From which status on a run is bad news (exit code 1). */
export type FailOn = (typeof FAIL_ON)[number];
