import { defineCheck, type Finding, type NetContext } from '../check.js';
import { info, needsWindow, notApplicable, pass } from '../findings.js';
import type { NetView } from '../view.js';
import { cpuLoads } from './load.js';
import { linksOf, nothingToJudge } from './nics.js';

const POLL = 'net.core.busy_poll';
const READ = 'net.core.busy_read';
/** What the kernel's document recommends for both. */
const WANTED = 50;

export const busyPoll = defineCheck({
  id: 'busy-poll',
  title: 'Busy polling',
  category: 'nic',
  scope: 'netns',
  priority: 30,
  thresholds: {
    idlePercent: { default: 70, unit: '%', description: 'How idle a CPU must be to count as spare.' },
  },
  page: {
    mechanism:
      'With busy polling a program that waits for data looks into the queue of the card itself for some microseconds, and so saves the interrupt, the softirq and the wake-up.',
    reads:
      'net.core.busy_poll (poll, select), net.core.busy_read (blocking reads), SO_BUSY_POLL of connections with traffic, idle time per CPU over the window.',
    threshold:
      'Judged under --profile latency alone. info: both keys are 0, no connection asked for it, and at least one CPU is 70 % idle.',
    why: 'CPUs are idle that could wait for packets instead of waiting for interrupts.',
    remedy:
      'Prefer SO_BUSY_POLL (or the epoll busy-poll parameters) in the program that needs it; the keys turn it on for every socket.',
    risk: 'Burns CPU and power while waiting; hurts where CPUs are not spare.',
    undo: 'sysctl -w net.core.busy_read=0; sysctl -w net.core.busy_poll=0',
    needs: 'new sockets for busy_read (the key is copied into each socket when it is made)',
    tune: { keys: ['net.core.busy_read', 'net.core.busy_poll'], options: '--profile latency' },
    sources: [
      'https://docs.kernel.org/admin-guide/sysctl/net.html (busy_poll, busy_read)',
      'https://docs.kernel.org/networking/napi.html (Busy polling)',
      'socket(7): SO_BUSY_POLL',
    ],
  },
  judge({ net, host, profile, threshold }: NetContext): Finding[] {
    if (profile !== 'latency') return [notApplicable('judged under --profile latency')];
    if (linksOf(net).length === 0) return [nothingToJudge(net)];
    const poll = net.sysctlNumber(POLL);
    const read = net.sysctlNumber(READ);
    if (poll === undefined || read === undefined)
      return [notApplicable(`${POLL} and ${READ} are host-wide and not shown in this namespace`)];
    const evidence = [net.sysctlEvidence(POLL), net.sysctlEvidence(READ)];
    if (poll > 0 || read > 0) return [pass(`busy polling is on (busy_poll ${poll}, busy_read ${read} µs)`, evidence)];
    const asking = busyPolling(net);
    if (asking > 0) return [pass(`${asking} connections with traffic set SO_BUSY_POLL themselves`, evidence)];
    if (!net.windowMs) return [needsWindow()];
    const spare = cpuLoads(host).filter(({ idlePercent }) => idlePercent >= threshold('idlePercent'));
    if (spare.length === 0) return [pass('busy polling is off, and no CPU is spare for it', evidence)];
    return [
      info(
        `busy polling is off while ${spare.length} of ${host.facts.cpus.length} CPUs are idle`,
        [...evidence, { source: '/proc/stat', key: 'idle CPUs', value: spare.length, unit: '1', scope: 'window' }],
        {
          remedy: {
            summary: 'Set SO_BUSY_POLL in the programs that need the latency, or turn it on for all',
            commands: [`sysctl -w ${READ}=${WANTED}`, `sysctl -w ${POLL}=${WANTED}`],
            tunes: [READ, POLL].map((key) => ({ key, from: '0', to: String(WANTED) })),
          },
        },
      ),
    ];
  },
});

/** Connections of which it is known that they busy-poll. */
export const busyPolling = (net: NetView): number =>
  (net.last.sockets?.connections ?? []).filter(({ options }) => (options?.busyPollUs ?? 0) > 0).length;
