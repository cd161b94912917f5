import type { Process } from '../../model/snapshot/index.js';
import type { ProcessRow } from '../../model/views/processes.js';
import type { SocketHolder } from '../../probes/connections.js';
import { present } from '../../probes/link-sysfs.js';
import { perSecond } from '../views/nic/rates.js';

/** Processes at two moments. */
export interface ProcessReadings {
  now: readonly SocketHolder[];
  /** Of the reading before; undefined at the first. */
  before: readonly Process[] | undefined;
  /** Between the two. */
  windowMs: number;
}

/** utime and stime are shown in clock ticks (USER_HZ, 100 on every architecture that Node runs on): 10 ms each. */
const TICKS_OFF_MS = 20;

/**
 * One row for each process that holds sockets. Rates need the same process (pid and start) at both readings: one whose
 * pid was used again, or that has just begun to hold sockets, has none. `netnsName` gives undefined for our own.
 */
export function processRows(
  { now, before, windowMs }: ProcessReadings,
  netnsName: (id: string) => string | undefined,
): ProcessRow[] {
  const earlier = new Map((before ?? []).map((process) => [process.pid, process]));
  return now.map(({ process, container, traffic, underLibsd, byMemory }) => {
    const then = earlier.get(process.pid);
    const same = then?.startTicks === process.startTicks ? then : undefined;
    return {
      ...standing(process, netnsName),
      ...present('container', container),
      ...(same && windowMs > 0 ? moved(process, same, windowMs) : {}),
      ...traffic,
      ...(underLibsd ? { underLibsd, byMemory: byMemory ?? 0 } : {}),
    };
  });
}

function standing(process: Process, netnsName: (id: string) => string | undefined): ProcessRow {
  const { pid, ppid, comm, commandLine, uid, cgroup, threads, udp, unix, descriptors } = process;
  const { listen = 0, ...states } = process.tcp;
  return {
    pid,
    ppid,
    comm,
    ...present('commandLine', commandLine),
    uid,
    ...present('netns', process.netns === undefined ? undefined : netnsName(process.netns)),
    ...present('cgroup', cgroup),
    threads,
    connections: Object.values(states).reduce((sum, count) => sum + count, 0),
    listeners: listen,
    udp,
    unix,
    ...present('descriptors', descriptors?.open),
    ...present('descriptorLimit', descriptors?.softLimit),
  };
}

function moved(now: Process, before: Process, windowMs: number): Partial<ProcessRow> {
  const rate = (key: 'runDelayMs' | 'voluntarySwitches' | 'involuntarySwitches') =>
    perSecond(before[key], now[key], windowMs / 1000);
  const cpuMs = cpuTime(now, before);
  return {
    ...present('cpuShare', cpuMs === undefined ? undefined : cpuMs / windowMs),
    ...present('kernelShare', kernelShare(now, before)),
    ...present('runDelayMsPerS', rate('runDelayMs')),
    ...present('voluntarySwitchesPerS', rate('voluntarySwitches')),
    ...present('involuntarySwitchesPerS', rate('involuntarySwitches')),
  };
}

/**
 * schedstat is exact, but forgets the threads that have ended; stat remembers them, in ticks. So the exact one counts as
 * long as both agree.
 */
function cpuTime(now: Process, before: Process): number | undefined {
  const exact = grown(now.runMs, before.runMs);
  const ticks = grown(sum(now.userMs, now.systemMs), sum(before.userMs, before.systemMs));
  if (exact === undefined || ticks === undefined) return exact ?? ticks;
  return exact >= ticks - TICKS_OFF_MS ? exact : ticks;
}

/** The kernel splits the exact CPU time by what each tick met, so that a few ticks say little: then it is absent. */
const LEAST_TICKS_MS = 50;

function kernelShare(now: Process, before: Process): number | undefined {
  const system = grown(now.systemMs, before.systemMs);
  const all = grown(sum(now.userMs, now.systemMs), sum(before.userMs, before.systemMs));
  return system === undefined || all === undefined || all < LEAST_TICKS_MS ? undefined : system / all;
}

const sum = (a: number | undefined, b: number | undefined) => (a === undefined || b === undefined ? undefined : a + b);

const grown = (now: number | undefined, before: number | undefined) =>
  now === undefined || before === undefined || now < before ? undefined : now - before;
