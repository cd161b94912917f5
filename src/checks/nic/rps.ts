import type { Evidence } from '../../model/results.js';
import type { Cpu, Link, LinkQueue } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { type CpuWindow, cpuMask, maskIsEmpty, siblingsOf } from '../cpus.js';
import { info, needsWindow, notApplicable, pass, warn } from '../findings.js';
import { cpuLoads, hotCpuOf, loadEvidence, loadUnknown } from './load.js';
import { isDevice, linksOf, type Nic, nothingToJudge } from './nics.js';

export const rps = defineCheck({
  id: 'rps',
  title: 'Receive packet steering',
  category: 'nic',
  scope: 'netns',
  priority: 55,
  thresholds: {
    hotPercent: {
      default: 60,
      unit: '%',
      description: "Share of a CPU's time in interrupts from which steering is worth it.",
    },
    idlePercent: { default: 50, unit: '%', description: 'How idle another CPU must be to take packets over.' },
    packetsPerSecond: { default: 10_000, unit: 'packets/s', description: 'Below this a link is not judged.' },
  },
  page: {
    mechanism:
      'Receive packet steering (RPS) hands packets, by a hash of their flow, from the CPU that took the interrupt to the input queues of others. Where a card has fewer queues than there are CPUs it is how more CPUs can share the protocol work.',
    reads:
      'rps_cpus of each receive queue (/sys/class/net/IFACE/queues), packets of the link, interrupts of the card and time in irq and softirq per CPU, twice.',
    threshold:
      'Judged for links with fewer receive queues than CPUs, RPS off and 10,000 packets a second: warn when a CPU that serves the link spends 60 % of its time in interrupts while another is at least half idle. A veth pair gets info: it runs on the CPU of the sender, which is often where it should run.',
    why: 'One CPU processes the packets of this link and is full, while others idle.',
    remedy:
      'First use all channels of the card (check "channels"). Then let CPUs of the same NUMA node take part, not the busy one and not its hyper-threading sibling.',
    risk: 'Inter-processor interrupts and cache misses: costs CPU in total, and hurts when no CPU was full.',
    undo: 'echo 0 > /sys/class/net/IFACE/queues/rx-N/rps_cpus',
    needs: 'nothing',
    tune: { keys: ['/sys/class/net/*/queues/*/rps_cpus'] },
    sources: [
      'https://docs.kernel.org/networking/scaling.html (RPS, Suggested Configuration)',
      'ENA Linux driver best practices, "CPU starvation": https://github.com/amzn/amzn-drivers/blob/master/kernel/linux/ena/ENA_Linux_Best_Practices.rst',
    ],
  },
  judge({ net, host, threshold }: NetContext): Finding[] {
    const nics = linksOf(net, (link) => isDevice(link) || link.kind === 'veth');
    if (nics.length === 0) return [nothingToJudge(net, 'no link in this namespace that packets could be steered from')];
    if (!net.windowMs) return [needsWindow()];
    if (host.facts.cpus.length < 2) return [notApplicable('one CPU: nothing to steer to')];
    return nics.map(judgeNic);

    function judgeNic(nic: Nic): Finding {
      const { link } = nic;
      const subject = { interface: link.name };
      const queues = link.rxQueueList ?? [];
      if (!queues.some(({ cpus }) => cpus !== undefined))
        return notApplicable(`rps_cpus of ${link.name} is not shown`, [], { subject });
      const evidence = queues.slice(0, 4).map((queue) => queueEvidence(link, queue));
      if (queues.some(({ cpus }) => cpus !== undefined && !maskIsEmpty(cpus)))
        return pass(`${link.name} steers packets`, evidence, { subject });
      if (queues.length >= host.facts.cpus.length)
        return pass(`${link.name} has a receive queue for each CPU`, evidence, { subject });
      const rate = Math.round(nic.rate('rx_packets') ?? 0);
      const words = `${link.name} receives ${rate} packets a second`;
      if (rate < threshold('packetsPerSecond')) return pass(`${words}: too few to steer`, evidence, { subject });
      const blind = loadUnknown(host);
      if (blind) return notApplicable(`${words}; ${blind}`, evidence, { subject });
      const hot = hotCpuOf(host, link, threshold('hotPercent'));
      const idle = hot ? idleCpus(host.facts.cpus, cpuLoads(host), hot.cpu, link, threshold('idlePercent')) : [];
      if (!hot || idle.length === 0)
        return pass(
          `${words}${hot ? ', but no other CPU has time to take part' : ', and no CPU is busy with them'}`,
          evidence,
          { subject },
        );
      return (isDevice(link) ? warn : info)(
        `${words} on ${queues.length === 1 ? 'one queue' : `${queues.length} queues`}; CPU ${hot.cpu} spends ${Math.round(hot.softirqPercent)} % of its time in interrupts while ${idle.length} other CPUs have time`,
        [...evidence, loadEvidence(hot)],
        { subject, weight: rate, remedy: remedyFor(link, queues, idle) },
      );
    }
  },
});

/** CPUs to steer to: on the node of the busy one, with time, and not sharing its core. */
function idleCpus(
  cpus: readonly Cpu[],
  loads: readonly CpuWindow[],
  hot: number,
  link: Link,
  idlePercent: number,
): number[] {
  const node = link.numaNode ?? cpus.find(({ cpu }) => cpu === hot)?.node;
  const near = cpus.filter((cpu) => node === undefined || cpu.node === undefined || cpu.node === node);
  const siblings = siblingsOf(cpus, hot);
  const idle = near.filter(({ cpu }) => loads.some((load) => load.cpu === cpu && load.idlePercent >= idlePercent));
  const apart = idle.filter(({ cpu }) => !siblings.includes(cpu));
  return (apart.length > 0 ? apart : idle).map(({ cpu }) => cpu).filter((cpu) => cpu !== hot);
}

const rpsFile = (link: Link, queue: LinkQueue) => `/sys/class/net/${link.name}/queues/rx-${queue.index}/rps_cpus`;

function remedyFor(link: Link, queues: readonly LinkQueue[], cpus: readonly number[]) {
  const mask = cpuMask(cpus);
  const { channels } = link;
  const more = (channels?.combinedMax ?? 0) > (channels?.combined ?? 0);
  return {
    summary: more
      ? `Give ${link.name} more channels first (check "channels"); else steer its packets to CPU ${cpus.join(', ')}`
      : `Steer packets of ${link.name} to CPU ${cpus.join(', ')}`,
    commands: queues.map((queue) => `echo ${mask} > ${rpsFile(link, queue)}`),
    tunes: queues.map((queue) => ({ key: rpsFile(link, queue), from: queue.cpus ?? '0', to: mask })),
    undo: queues.map((queue) => `echo 0 > ${rpsFile(link, queue)}`).join('; '),
  };
}

const queueEvidence = (link: Link, queue: LinkQueue): Evidence => ({
  source: rpsFile(link, queue),
  key: 'rps_cpus',
  value: queue.cpus ?? 'unreadable',
  unit: '',
  scope: 'now',
  subject: { interface: link.name },
});
