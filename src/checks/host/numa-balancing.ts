import type { Evidence } from '../../model/results.js';
import type { Process } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { parseCpuList } from '../cpus.js';
import { info, notApplicable, pass, unknown, warn } from '../findings.js';
import { growth, type HostView, sysctlEvidence } from '../view.js';
import { listed, named, nothingToJudge, servingPids } from './subjects.js';

const KEY = 'kernel.numa_balancing';
/** Bit 0 is the balancing itself; 2 is memory tiering alone, which is another matter. */
const BALANCING = 1;

export const numaBalancing = defineCheck({
  id: 'numa-balancing',
  title: 'Automatic NUMA balancing with pinned programs',
  category: 'memory',
  scope: 'host',
  priority: 25,
  page: {
    mechanism:
      'Automatic NUMA balancing takes pages away from programs now and then, to see from the page fault which node uses them, and moves pages and threads closer together. A program that is bound to the CPUs of one node cannot be moved: it pays the faults for nothing.',
    reads:
      'kernel.numa_balancing; Cpus_allowed_list of processes that serve sockets, against the nodes of the CPUs; numa_hint_faults of /proc/vmstat, twice.',
    threshold:
      'Hosts with two nodes or more. info: balancing is on and a serving process is bound to one node. warn: that, in the latency profile or while hint faults grow within the window.',
    why: 'The bound program takes page faults that cannot lead to a better placement.',
    remedy: 'Turn automatic balancing off if the programs that matter are bound; leave it on where they are not.',
    risk: 'It is host-wide: programs that are not bound lose the benefit.',
    undo: `sysctl -w ${KEY}=1`,
    needs: 'nothing',
    tune: { keys: ['kernel.numa_balancing'] },
    sources: [
      'https://docs.kernel.org/admin-guide/sysctl/kernel.html#numa-balancing',
      'tuned: profile network-latency (kernel.numa_balancing=0)',
    ],
  },
  judge({ host, snapshot, profile }: HostContext): Finding[] {
    if (host.facts.numaNodes < 2) return [notApplicable('this host has one NUMA node')];
    const value = host.facts.sysctls[KEY];
    if (value === undefined) return [unknown(`${KEY} could not be read (this kernel may lack CONFIG_NUMA_BALANCING)`)];
    const live = sysctlEvidence(KEY, value);
    if ((Number(value) & BALANCING) === 0) return [pass('automatic NUMA balancing is off', [live])];
    const serves = servingPids(snapshot);
    const serving = host.processes.map((pair) => pair.last).filter(serves);
    if (serving.length === 0) return nothingToJudge(snapshot, 'no process serves sockets');
    const bound = serving.filter((process) => boundNode(host, process) !== undefined);
    if (bound.length === 0)
      return [
        pass(`automatic NUMA balancing is on, and none of the ${serving.length} serving processes is bound to a node`, [
          live,
        ]),
      ];
    const faults = growth(host.first?.vmstat.numa_hint_faults, host.last.vmstat.numa_hint_faults);
    return [report(host, bound, [live, ...faultEvidence(faults)], profile === 'latency' || (faults ?? 0) > 0, value)];
  },
});

/** The node that all allowed CPUs of a process belong to, if it is one and not the whole host. */
function boundNode(host: HostView, process: Process): number | undefined {
  if (process.cpusAllowed === undefined) return undefined;
  const allowed = parseCpuList(process.cpusAllowed);
  const nodes = new Set(host.facts.cpus.filter((cpu) => allowed.has(cpu.cpu)).map((cpu) => cpu.node));
  const [node] = nodes;
  return nodes.size === 1 ? node : undefined;
}

function report(host: HostView, bound: Process[], evidence: Evidence[], felt: boolean, value: string): Finding {
  const first = bound[0] as Process;
  const rows = bound.slice(0, 5).map(
    (process): Evidence => ({
      source: `/proc/${process.pid}/status`,
      key: 'Cpus_allowed_list',
      value: process.cpusAllowed ?? '',
      unit: '',
      scope: 'now',
      subject: host.subject(process.pid),
    }),
  );
  const off = String(Number(value) & ~BALANCING);
  const say = felt ? warn : info;
  return say(
    `${KEY} is ${value} while ${listed(bound.map(named))} ${bound.length === 1 ? 'is' : 'are'} bound to one node`,
    [...evidence, ...rows],
    {
      subject: { ...host.subject(first.pid), key: KEY },
      remedy: {
        summary: 'Turn automatic NUMA balancing off if no other program of this host needs it',
        commands: [`sysctl -w ${KEY}=${off}`],
        tunes: [{ key: KEY, from: value, to: off }],
        undo: `sysctl -w ${KEY}=${value}`,
      },
    },
  );
}

const faultEvidence = (faults: number | undefined): Evidence[] =>
  faults === undefined
    ? []
    : [{ source: '/proc/vmstat', key: 'numa_hint_faults', value: faults, unit: '1', scope: 'window' }];
