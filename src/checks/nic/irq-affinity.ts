import type { Evidence } from '../../model/results.js';
import type { DeviceIrq, Link } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { parseCpuList } from '../cpus.js';
import { info, needsWindow, notApplicable, pass, unknown, warn } from '../findings.js';
import type { HostView } from '../view.js';
import { hotCpuOf, interruptsOf, loadEvidence } from './load.js';
import { linksOf, type Nic, nothingToJudge } from './nics.js';

export const irqAffinity = defineCheck({
  id: 'irq-affinity',
  title: 'Placement of NIC interrupts',
  category: 'nic',
  scope: 'netns',
  priority: 58,
  thresholds: {
    packetsPerSecond: { default: 10_000, unit: 'packets/s', description: 'Below this a link is not judged.' },
    concentratedPercent: {
      default: 90,
      unit: '%',
      description: "Share of the card's interrupts on one CPU that counts as concentrated.",
    },
    hotPercent: {
      default: 60,
      unit: '%',
      description: "Share of that CPU's time in interrupts that makes it a warning.",
    },
  },
  page: {
    mechanism:
      'Each queue of a card interrupts a CPU, and that CPU then processes its packets. When the interrupts of several queues end on one CPU, the queues gain nothing; on another NUMA node than the card, each packet crosses the interconnect.',
    reads:
      'effective_affinity_list of the interrupts of the card, their counts per CPU (/proc/interrupts) twice, numa_node of the card, packets of the link, time in irq and softirq per CPU.',
    threshold:
      'Judged at 10,000 packets a second. warn: at least two queues fired, 90 % of it on one CPU, and that CPU spends 60 % of its time in interrupts (else info). warn: all queue interrupts run on CPUs of another node than that of the card, although it has enough CPUs (some of them: info).',
    why: 'Queues that share a CPU share its limit; remote interrupts cost a trip over the interconnect for each packet.',
    remedy: 'Pin the interrupts of the queues to different CPUs of the node of the card, or let irqbalance do it.',
    risk: 'irqbalance undoes what is set by hand, unless it is told to leave these interrupts alone. Interrupts that the kernel manages refuse the write.',
    undo: 'Write the former lists to smp_affinity_list again.',
    needs: 'nothing',
    tune: { keys: ['/proc/irq/*/smp_affinity_list'] },
    sources: [
      'https://docs.kernel.org/core-api/irq/irq-affinity.html',
      'https://docs.kernel.org/networking/scaling.html (RSS IRQ Configuration)',
      'ENA Linux driver best practices: https://github.com/amzn/amzn-drivers/blob/master/kernel/linux/ena/ENA_Linux_Best_Practices.rst',
    ],
  },
  judge({ net, host, threshold }: NetContext): Finding[] {
    const nics = linksOf(net);
    if (nics.length === 0) return [nothingToJudge(net)];
    if (!net.windowMs) return [needsWindow()];
    return nics.map(judgeNic);

    function judgeNic(nic: Nic): Finding {
      const { link } = nic;
      const subject = { interface: link.name };
      if (!link.irqs?.length)
        return notApplicable(`${link.name} has no interrupts of its own that are shown`, [], { subject });
      const active = activeIrqs(host, link);
      if (!active) return unknown(`the interrupts of ${link.name} were not counted`, [], { subject });
      const evidence = active.slice(0, 8).map(({ irq }) => irqEvidence(link, irq));
      const rate = Math.round(nic.rate('rx_packets') ?? 0);
      if (rate < threshold('packetsPerSecond'))
        return pass(`${link.name} receives ${rate} packets a second: too few for the placement to matter`, evidence, {
          subject,
        });
      return (
        concentrated(host, link, active, threshold('concentratedPercent'), threshold('hotPercent')) ??
        remote(host, link, active) ??
        pass(`the interrupts of ${link.name} are well placed`, evidence, { subject })
      );
    }
  },
});

interface ActiveIrq {
  irq: DeviceIrq;
  counts: Map<number, number>;
}

/** Names of interrupts that take no packets in: of the device itself, and of transmit queues alone. */
const OTHER = /config|control|mgmnt|async|admin|fdir|misc|[-.](output|tx)[-.]?\d*$/i;

/** Those of receive queues that fired within the window. Undefined when none was counted. */
function activeIrqs(host: HostView, link: Link): ActiveIrq[] | undefined {
  const counted = (link.irqs ?? []).flatMap((irq) => {
    const counts = interruptsOf(host, irq.irq);
    return counts ? [{ irq, counts }] : [];
  });
  if (counted.length === 0) return undefined;
  return counted.filter(({ irq, counts }) => !OTHER.test(irq.name) && [...counts.values()].some((count) => count > 0));
}

function concentrated(
  host: HostView,
  link: Link,
  active: readonly ActiveIrq[],
  percent: number,
  hotPercent: number,
): Finding | undefined {
  if (active.length < 2 || host.facts.cpus.length < 2) return undefined;
  const perCpu = new Map<number, number>();
  for (const { counts } of active) for (const [cpu, count] of counts) perCpu.set(cpu, (perCpu.get(cpu) ?? 0) + count);
  const total = [...perCpu.values()].reduce((sum, count) => sum + count, 0);
  const [cpu, count] = [...perCpu].toSorted((a, b) => b[1] - a[1])[0] ?? [0, 0];
  if (total === 0 || (100 * count) / total < percent) return undefined;
  const firing = active.filter(({ counts }) => (counts.get(cpu) ?? 0) > 0);
  if (firing.length < 2) return undefined;
  const hot = hotCpuOf(host, link, hotPercent);
  const isHot = hot?.cpu === cpu;
  return (isHot ? warn : info)(
    `${Math.round((100 * count) / total)} % of the interrupts of ${firing.length} queues of ${link.name} run on CPU ${cpu}${isHot ? `, which spends ${Math.round(hot.softirqPercent)} % of its time in interrupts` : ''}`,
    [
      {
        source: '/proc/interrupts',
        key: link.name,
        value: count,
        unit: 'interrupts',
        scope: 'window',
        subject: { interface: link.name, cpu },
      },
      ...firing.slice(0, 8).map(({ irq }) => irqEvidence(link, irq)),
      ...(isHot ? [loadEvidence(hot)] : []),
    ],
    { subject: { interface: link.name, cpu }, weight: count, remedy: spread(host, link, firing) },
  );
}

function remote(host: HostView, link: Link, active: readonly ActiveIrq[]): Finding | undefined {
  const local = localCpus(host, link);
  if (host.facts.numaNodes < 2 || local.length === 0) return undefined;
  const away = active.filter(({ counts }) => {
    const fired = [...counts].filter(([, count]) => count > 0);
    return fired.every(([cpu]) => !local.includes(cpu));
  });
  if (away.length === 0 || active.length > local.length) return undefined;
  const all = away.length === active.length;
  return (all ? warn : info)(
    `${all ? 'all' : `${away.length} of`} ${active.length} queue interrupts of ${link.name} run on another NUMA node than the card, which is on node ${link.numaNode}`,
    [
      {
        source: 'sysfs',
        key: 'numa_node',
        value: link.numaNode ?? -1,
        unit: '',
        scope: 'now',
        subject: { interface: link.name },
      },
      ...away.slice(0, 8).map(({ irq }) => irqEvidence(link, irq)),
    ],
    { subject: { interface: link.name }, weight: away.length, remedy: spread(host, link, away) },
  );
}

const localCpus = (host: HostView, link: Link) =>
  link.numaNode === undefined ? [] : host.facts.cpus.filter(({ node }) => node === link.numaNode).map(({ cpu }) => cpu);

/** One interrupt per CPU, on the node of the card where that is known. */
function spread(host: HostView, link: Link, irqs: readonly ActiveIrq[]) {
  const local = localCpus(host, link);
  const cpus = local.length > 0 ? local : host.facts.cpus.map(({ cpu }) => cpu);
  const moves = irqs.map(({ irq }, i) => ({
    key: `/proc/irq/${irq.irq}/smp_affinity_list`,
    from: irq.affinity,
    to: String(cpus[i % cpus.length]),
  }));
  const owner = host.facts.settingOwners.find(({ name }) => name === 'irqbalance');
  const back = moves.filter(({ from }) => from !== undefined).map(({ key, from }) => `echo ${from} > ${key}`);
  return {
    summary: `Spread the interrupts of ${link.name} over ${local.length > 0 ? `CPUs of node ${link.numaNode}` : 'CPUs'}${owner ? '; irqbalance runs and will move them again: ban them there (--banirq) or leave it to it' : ''}`,
    commands: moves.map(({ key, to }) => `echo ${to} > ${key}`),
    tunes: moves.flatMap(({ key, from, to }) => (from === undefined ? [] : [{ key, from, to }])),
    ...(back.length > 0 ? { undo: back.join('; ') } : {}),
  };
}

const irqEvidence = (link: Link, irq: DeviceIrq): Evidence => ({
  source: `/proc/irq/${irq.irq}/effective_affinity_list`,
  key: irq.name,
  value: irq.effectiveAffinity ?? (irq.affinity === undefined ? 'unreadable' : `${irq.affinity} (smp_affinity_list)`),
  unit: '',
  scope: 'now',
  subject: {
    interface: link.name,
    ...(parseCpuList(irq.effectiveAffinity ?? '').size === 1 ? { cpu: Number(irq.effectiveAffinity) } : {}),
  },
});
