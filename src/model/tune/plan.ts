import { type Static, Type } from '@sinclair/typebox';
import { Evidence, Subject } from '../results.js';
import { PROFILES } from '../words.js';
import { KINDS } from './keys.js';

/** Who decides about a key: the file that sets it at boot, or a program that runs and writes it. */
export const Owner = Type.Object({
  name: Type.String({ description: 'The file with its line, "/etc/sysctl.d/90-net.conf:3", or the program, "tuned".' }),
  running: Type.Boolean({ description: 'A program that runs and may write the key again: tune refuses beside it.' }),
  pid: Type.Optional(Type.Integer()),
  detail: Type.Optional(Type.String({ description: "tuned's active profile, the unit that a limit comes from." })),
});
export type Owner = Static<typeof Owner>;

/** One setting that a plan changes. */
export const PlanRow = Type.Object({
  key: Type.String({
    description: 'A sysctl\'s name, "ethtool:eth0:rings.rx", a path below /sys, or "limit:PID:nofile".',
  }),
  kind: Type.Union(KINDS.map((kind) => Type.Literal(kind))),
  from: Type.String({ description: 'One line, as it is read.' }),
  to: Type.String(),
  default: Type.Union([Type.String(), Type.Null()], {
    description: 'What this kernel or driver begins with; null when that is not known.',
  }),
  reason: Type.String(),
  evidence: Type.Array(Evidence),
  risk: Type.String(),
  owner: Type.Union([Owner, Type.Null()], { description: 'null: nobody that we know of.' }),
  raiseOnly: Type.Boolean({ description: 'Never written when the value now is already at least this large.' }),
  needs: Type.String({
    description: '"nothing", "restart of the application", "new connections", …: until when it shows.',
  }),
  scope: Type.Union([Type.Literal('host'), Type.Literal('netns')], {
    description: 'Whether it belongs to the whole host or to one network namespace.',
  }),
  subject: Type.Optional(Subject),
  startTicks: Type.Optional(
    Type.Integer({
      description: 'Of a limit: when the process began, so that a pid used anew is not mistaken for it.',
    }),
  ),
  after: Type.Optional(
    Type.Array(Type.String(), { description: 'Keys of the same plan that must be written before this one.' }),
  ),
  coupled: Type.Optional(
    Type.Array(Type.String(), {
      description: 'Keys that may change when this one is written: saved and restored with it.',
    }),
  ),
  finding: Type.Optional(Type.String({ description: 'The check that asks for it.' })),
});
export type PlanRow = Static<typeof PlanRow>;

/** Which network namespace. The number and the cookie hold until the host is restarted. */
export const NetnsIdentity = Type.Object({
  id: Type.String({ description: 'Inode number, as `readlink /proc/PID/ns/net` shows it.' }),
  cookie: Type.Optional(
    Type.String({ description: 'SO_NETNS_COOKIE, which is never used again (Linux 5.14); absent before that.' }),
  ),
  name: Type.Optional(Type.String({ description: 'Below /run/netns.' })),
  initial: Type.Boolean(),
});
export type NetnsIdentity = Static<typeof NetnsIdentity>;

/** What a plan was made for; it is not applied to anything else. */
export const Fingerprint = Type.Object({
  hostname: Type.String(),
  kernel: Type.String({ description: 'uname -r' }),
  bootId: Type.Optional(Type.String({ description: '/proc/sys/kernel/random/boot_id' })),
  machineId: Type.Optional(Type.String({ description: 'A digest of /etc/machine-id, not the id itself.' })),
  cpus: Type.Integer(),
  memoryBytes: Type.Integer(),
  netns: NetnsIdentity,
  links: Type.Array(
    Type.Object({
      name: Type.String(),
      driver: Type.Optional(Type.String()),
      speedMbps: Type.Optional(Type.Integer()),
      bus: Type.Optional(Type.String()),
    }),
  ),
});
export type Fingerprint = Static<typeof Fingerprint>;

/** What `sockdoc tune --save-plan FILE` writes and `--plan FILE` reads. */
export const Plan = Type.Object({
  schemaVersion: Type.Literal(1),
  command: Type.Literal('tune plan'),
  version: Type.String(),
  madeAt: Type.String({ format: 'date-time' }),
  profile: Type.Union(PROFILES.map((profile) => Type.Literal(profile))),
  host: Fingerprint,
  rows: Type.Array(PlanRow),
});
export type Plan = Static<typeof Plan>;
