import { type MonitorPolicyDocument, type MonitorStatusDocument, restartOf } from '../../model/monitor.js';
import type { Column } from '../table.js';
import { type Look, Paper } from './paper.js';

type Client = NonNullable<MonitorStatusDocument['clients']>[number];
type Kept = NonNullable<MonitorStatusDocument['kept']>[number];

const CLIENTS: readonly Column<Client>[] = [
  { title: 'PID', cell: (row) => row.pid, align: 'right', priority: 0 },
  { title: 'COMMAND', cell: (row) => row.comm, priority: 0, min: 8 },
  { title: 'UID', cell: (row) => row.uid, align: 'right', priority: 2 },
  { title: 'CONNECTIONS', cell: (row) => row.connections, align: 'right', priority: 1 },
];

const KEPT: readonly Column<Kept>[] = [
  { title: 'PID', cell: (row) => row.pid, align: 'right', priority: 0 },
  { title: 'COMMAND', cell: (row) => row.comm, priority: 2, min: 8 },
  { title: 'FD', cell: (row) => row.fd, align: 'right', priority: 3 },
  { title: 'LOCAL', cell: (row) => row.local, priority: 1, min: 12 },
  { title: 'REMOTE', cell: (row) => row.remote, priority: 1, min: 12 },
  { title: 'WHY ON THE KERNEL', cell: (row) => row.reason, priority: 0, min: 20, max: 90 },
];

/** The monitor, its clients, and each end that stays on the kernel with the reason. */
export function prettyMonitor(status: MonitorStatusDocument, look: Look): string {
  const paper = new Paper(look);
  if (!status.running) {
    paper.text(`No monitor runs at ${status.socket}`, { ink: 'bold' });
    paper.text('Start one: sockdoc monitor start');
    return paper.toString();
  }
  const {
    pid,
    version,
    uptimeS = 0,
    connections,
    memoryBytes = 0,
    slabs,
    denied,
    resets,
    returned,
    policy,
    clients = [],
    kept = [],
  } = status;
  paper.text(`Monitor ${version}, pid ${pid}, up ${duration(uptimeS)}, at ${status.socket}`, { ink: 'bold' });
  if (status.usable === false)
    paper.text(
      `It is of another build than this sockdoc: all that libsd of this one is in stays on the kernel. ${restartOf(status.socket)}`,
      {
        ink: 'yellow',
        first: '! ',
      },
    );
  paper.text(
    `${connections?.shm} connections by shared memory, ${connections?.kernel} by the kernel; ${Math.ceil(memoryBytes / 1024)} KiB in ${slabs} slabs`,
  );
  const rules = policy?.path === undefined ? 'built in: one user’s processes' : `${policy.path}, ${policy.rules} rules`;
  paper.text(`Policy ${rules}; ${denied} denied`);
  if (resets) paper.text(`${resets} ends were reset: somebody else got them, and unread bytes could not go along`);
  if (returned) paper.text(`${returned} ends had unread bytes, which went back to the kernel for who got them`);
  if (clients.length > 0) {
    paper.blank();
    paper.table(CLIENTS, clients);
  }
  if (kept.length > 0) {
    paper.blank();
    paper.table(KEPT, kept);
  }
  return paper.toString();
}

/** The mistakes, each with its place. */
export function policyMistakes({ file, errors }: MonitorPolicyDocument): string {
  return errors
    .map(({ line, column, message, expected }) => {
      const place = line === undefined ? file : `${file}:${line}:${column}`;
      return `${place}: ${message}\n  expected: ${expected}`;
    })
    .join('\n');
}

function duration(seconds: number): string {
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days > 0) return `${days}d ${hours}h`;
  if (hours > 0) return `${hours}h ${minutes}m`;
  return minutes > 0 ? `${minutes}m ${seconds % 60}s` : `${seconds}s`;
}
