import { parseCpuList } from '../../../checks/cpus.js';
import type { Address, Cpu, Link, LinkCounters, Rdma } from '../../../model/snapshot/index.js';
import type { NicCounter, NicDetail, NicIrq, NicQdisc } from '../../../model/views/nic.js';
import { queueRates } from './queues.js';
import { perSecond } from './rates.js';
import { rdmaOf } from './rdma.js';

/** Interrupts per CPU at one moment: what /proc/interrupts has, rows by number. */
export interface InterruptCounts {
  cpus: readonly number[];
  rows: readonly { name: string; counts: readonly number[] }[];
}

/** One interface at one moment. */
export interface NicMoment {
  monotonicMs: number;
  counters: LinkCounters | undefined;
  interrupts: InterruptCounts | undefined;
}

export interface NicDetailFacts {
  link: Link;
  addresses: readonly Address[];
  cpus: readonly Cpu[];
  rdma: Rdma | undefined;
}

/** All about one interface. */
export function nicDetail(facts: NicDetailFacts, now: NicMoment, before: NicMoment | undefined): NicDetail {
  const { link, addresses, rdma } = facts;
  const seconds = before && (now.monotonicMs - before.monotonicMs) / 1000;
  const verdict = rdma && rdmaOf(link, rdma);
  return {
    link,
    addresses: addresses.filter((address) => address.interface === link.name),
    queues: queueRates(link, before?.counters, now.counters, seconds),
    irqs: irqsOf(facts, now.interrupts, before?.interrupts, seconds),
    qdiscs: qdiscsOf(now.counters, before?.counters, seconds),
    counters: countersOf(now.counters, before?.counters, seconds),
    ...(verdict ? { rdma: withoutWord(verdict) } : {}),
  };
}

const withoutWord = ({ word: _, ...verdict }: NonNullable<ReturnType<typeof rdmaOf>>) => verdict;

function irqsOf(
  { link, cpus }: NicDetailFacts,
  now: InterruptCounts | undefined,
  before: InterruptCounts | undefined,
  seconds: number | undefined,
): NicIrq[] {
  const nodes = new Map(cpus.map(({ cpu, node }) => [cpu, node]));
  const row = (table: InterruptCounts | undefined, irq: number) => table?.rows.find(({ name }) => name === String(irq));
  return (link.irqs ?? []).map((irq) => {
    const last = row(now, irq.irq)?.counts;
    const first = row(before, irq.irq)?.counts;
    const perS = perSecond(total(first), total(last), seconds);
    const took = last && first && now?.cpus.filter((_, at) => (last[at] ?? 0) > (first[at] ?? 0));
    const allowed = [...parseCpuList(irq.effectiveAffinity || irq.affinity || '')];
    const numaNodes = [...new Set(allowed.flatMap((cpu) => nodes.get(cpu) ?? []))].sort((a, b) => a - b);
    return {
      ...irq,
      ...(perS === undefined ? {} : { perS }),
      ...(took ? { cpus: took } : {}),
      ...(numaNodes.length > 0 ? { numaNodes } : {}),
    };
  });
}

const total = (counts: readonly number[] | undefined) => counts?.reduce((sum, count) => sum + count, 0);

function qdiscsOf(
  last: LinkCounters | undefined,
  first: LinkCounters | undefined,
  seconds: number | undefined,
): NicQdisc[] {
  return (last?.qdiscs ?? []).map((qdisc) => {
    const before = first?.qdiscs.find((one) => one.handle === qdisc.handle && one.parent === qdisc.parent);
    const rate = (key: 'bytes' | 'packets' | 'drops' | 'overlimits') => perSecond(before?.[key], qdisc[key], seconds);
    const rates = {
      bps: times8(rate('bytes')),
      packetsPerS: rate('packets'),
      dropsPerS: rate('drops'),
      overlimitsPerS: rate('overlimits'),
    };
    return { ...qdisc, ...Object.fromEntries(Object.entries(rates).filter(([, value]) => value !== undefined)) };
  });
}

const times8 = (bytes: number | undefined) => (bytes === undefined ? undefined : bytes * 8);

/** Those that are not zero, as they are named. */
function countersOf(
  last: LinkCounters | undefined,
  first: LinkCounters | undefined,
  seconds: number | undefined,
): NicCounter[] {
  const of = (source: NicCounter['source'], now: object | undefined, before: object | undefined): NicCounter[] => {
    const earlier = new Map<string, number>(Object.entries(before ?? {}));
    return Object.entries(now ?? {})
      .filter(([, value]) => value !== 0)
      .map(([name, value]) => {
        const perS = perSecond(earlier.get(name), value, seconds);
        return { source, name, total: value, ...(perS === undefined ? {} : { perS }) };
      });
  };
  return [
    ...of('standard', last?.standard, first?.standard),
    ...of('driver', last?.driver, first?.driver),
    ...of('pause', last?.pause, first?.pause),
  ];
}
