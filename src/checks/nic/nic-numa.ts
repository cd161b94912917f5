import type { Process } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { formatCpuList, parseCpuList } from '../cpus.js';
import { info, notApplicable, pass, warn } from '../findings.js';
import type { HostView, NetView } from '../view.js';
import { linksOf, type Nic, nothingToJudge } from './nics.js';

export const nicNuma = defineCheck({
  id: 'nic-numa',
  title: 'Programs bound to another NUMA node than their NIC',
  category: 'nic',
  scope: 'netns',
  priority: 33,
  thresholds: {
    loadMbps: { default: 1000, unit: 'Mbit/s', description: 'Traffic of the process from which it is a warning.' },
  },
  page: {
    mechanism:
      'A card is attached to one NUMA node. A program on another node reads and writes packets over the interconnect between the nodes: more latency for each access, and a bandwidth that everybody shares.',
    reads:
      'numa_node of the card; Cpus_allowed_list and Mems_allowed_list of processes; their busiest connections with an address of that card.',
    threshold:
      'Judged with two nodes or more, for processes whose CPUs or memory are bound so that the node of the card is excluded. warn: they move 1000 Mbit/s over the card, or the profile is latency or throughput; else info. A process that may run anywhere is the business of the scheduler and passes.',
    why: 'The program can never run next to the card that it uses.',
    remedy: 'Bind the program to the node of the card, or use a card on its node.',
    risk: 'Everything bound to one node competes for its CPUs and memory. Memory that exists stays where it is.',
    undo: 'Bind it to the former CPUs again.',
    needs: 'restart of the application, for its memory',
    sources: [
      'numactl(8), taskset(1)',
      'ENA Linux driver best practices: https://github.com/amzn/amzn-drivers/blob/master/kernel/linux/ena/ENA_Linux_Best_Practices.rst',
    ],
  },
  judge({ net, host, profile, threshold }: NetContext): Finding[] {
    if (host.facts.numaNodes < 2) return [notApplicable('one NUMA node')];
    const nics = linksOf(net).filter(({ link }) => link.numaNode !== undefined);
    if (nics.length === 0) return [nothingToJudge(net, 'no network device here tells its NUMA node')];
    const cared = profile === 'latency' || profile === 'throughput';
    const findings = nics.flatMap((nic) =>
      usersOf(net, nic).flatMap(({ process, bytes }) => {
        const mbps = net.windowMs ? (bytes * 8) / (net.windowMs * 1000) : 0;
        const finding = judgeProcess(host, nic, process, mbps, cared || mbps >= threshold('loadMbps'));
        return finding ? [finding] : [];
      }),
    );
    if (findings.length > 0) return findings;
    return [
      pass(
        `no process is bound away from the node of its card (${nics.map(({ link }) => `${link.name}: node ${link.numaNode}`).join(', ')})`,
      ),
    ];
  },
});

/** Processes with picked connections over this card, by the address of the card, and the bytes that these moved. */
function usersOf(net: NetView, { link }: Nic): { process: Process; bytes: number }[] {
  const own = new Set(net.facts.addresses.filter((a) => a.interface === link.name).map(({ address }) => address));
  const bytes = new Map<number, number>();
  for (const { local, pid, interface: bound, window } of net.last.sockets?.connections ?? []) {
    const address = local
      .slice(0, local.lastIndexOf(':'))
      .replace(/^\[|\]$/g, '')
      .replace(/^::ffff:/, '');
    if (pid === undefined || !(bound === link.name || own.has(address))) continue;
    bytes.set(pid, (bytes.get(pid) ?? 0) + (window?.bytesSent ?? 0) + (window?.bytesReceived ?? 0));
  }
  return net.processes.flatMap(({ last: process }) => {
    const moved = bytes.get(process.pid);
    return moved === undefined ? [] : [{ process, bytes: moved }];
  });
}

function judgeProcess(
  host: HostView,
  { link }: Nic,
  process: Process,
  mbps: number,
  serious: boolean,
): Finding | undefined {
  const node = link.numaNode as number;
  const local = host.facts.cpus.filter((cpu) => cpu.node === node).map(({ cpu }) => cpu);
  const cpus = process.cpusAllowed === undefined ? undefined : parseCpuList(process.cpusAllowed);
  const nodes = process.memsAllowed === undefined ? undefined : parseCpuList(process.memsAllowed);
  const cpusAway = cpus !== undefined && local.length > 0 && !local.some((cpu) => cpus.has(cpu));
  const memoryAway = nodes !== undefined && nodes.size > 0 && !nodes.has(node);
  if (!cpusAway && !memoryAway) return undefined;
  const what = cpusAway ? `CPUs ${process.cpusAllowed}` : `the memory of node ${process.memsAllowed}`;
  const subject = { ...host.subject(process.pid), interface: link.name };
  return (serious ? warn : info)(
    `${process.comm} (pid ${process.pid}) is bound to ${what}, while its card ${link.name} is on node ${node}`,
    [
      { source: 'sysfs', key: 'numa_node', value: node, unit: '', scope: 'now', subject: { interface: link.name } },
      ...(cpusAway
        ? [
            {
              source: `/proc/${process.pid}/status`,
              key: 'Cpus_allowed_list',
              value: process.cpusAllowed ?? '',
              unit: '',
              scope: 'now' as const,
            },
          ]
        : []),
      ...(memoryAway
        ? [
            {
              source: `/proc/${process.pid}/status`,
              key: 'Mems_allowed_list',
              value: process.memsAllowed ?? '',
              unit: '',
              scope: 'now' as const,
            },
          ]
        : []),
      { source: 'sock_diag', key: 'traffic', value: Math.round(mbps), unit: 'Mbit/s', scope: 'window' },
    ],
    {
      subject,
      weight: mbps,
      remedy: {
        summary: `Run it on node ${node}`,
        commands: cpusAway ? [`taskset -a -c -p ${formatCpuList(local)} ${process.pid}`] : [],
        ...(cpusAway ? { undo: `taskset -a -c -p ${process.cpusAllowed} ${process.pid}` } : {}),
        needs: memoryAway
          ? `restart under numactl --cpunodebind=${node} --membind=${node}`
          : 'nothing; its memory follows only slowly or after a restart',
      },
    },
  );
}
