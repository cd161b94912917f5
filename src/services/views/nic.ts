import { receiveQueues } from '../../checks/nic/nics.js';
import type { Link, LinkCounters, Rdma } from '../../model/snapshot/index.js';
import type { NicRow } from '../../model/views/nic.js';
import { perSecond } from './nic/rates.js';
import { rdmaOf } from './nic/rdma.js';

export interface NicReading {
  monotonicMs: number;
  counters: readonly LinkCounters[];
}

export interface NicFacts {
  links: readonly Link[];
  /** Of sockdoc's own namespace only: interfaces of another may have the same names. */
  rdma?: Rdma;
  /** Name or id, where it is not sockdoc's own. */
  netns?: string;
}

/**
 * One row per interface, in the order of the links. Facts change seldom: a live screen reads them now and then, and
 * only the counters (`readLinkCounters` with `standardOnly`) at each interval. Rates need the reading before.
 */
export function nicRows({ links, rdma, netns }: NicFacts, now: NicReading, before?: NicReading): NicRow[] {
  const seconds = before && (now.monotonicMs - before.monotonicMs) / 1000;
  return links.map((link) => {
    const last = countersOf(now, link);
    const first = before && countersOf(before, link);
    return {
      ...factsOf(link, last),
      ...(netns === undefined ? {} : { netns }),
      ...(rdma ? wordOf(rdmaOf(link, rdma)) : {}),
      ...ratesOf(first, last, seconds),
    };
  });
}

export const countersOf = ({ counters }: NicReading, { name }: Link): LinkCounters | undefined =>
  counters.find((row) => row.name === name);

const wordOf = (rdma: ReturnType<typeof rdmaOf>) => (rdma === undefined ? {} : { rdma: rdma.word });

function factsOf(link: Link, counters: LinkCounters | undefined): NicRow {
  const rxQueues = receiveQueues(link);
  const txQueues = transmitQueues(link);
  return {
    name: link.name,
    ...(link.driver === undefined ? {} : { driver: link.driver }),
    ...(link.kind === undefined ? {} : { kind: link.kind }),
    state: counters?.operState ?? link.operState,
    ...(link.speedMbps === undefined ? {} : { speedBps: link.speedMbps * 1e6 }),
    mtuBytes: link.mtu,
    ...(rxQueues === undefined ? {} : { rxQueues }),
    ...(txQueues === undefined ? {} : { txQueues }),
    ...(link.qdisc === undefined ? {} : { qdisc: link.qdisc }),
    ...(link.numaNode === undefined ? {} : { numaNode: link.numaNode }),
  };
}

function transmitQueues({ channels, txQueueList, txQueues }: Link): number | undefined {
  const sum = (channels?.combined ?? 0) + (channels?.tx ?? 0);
  return sum > 0 ? sum : (txQueueList?.length ?? txQueues);
}

type Rates = Pick<
  NicRow,
  | 'rxBps'
  | 'txBps'
  | 'rxPacketsPerS'
  | 'txPacketsPerS'
  | 'rxDropsPerS'
  | 'txDropsPerS'
  | 'errorsPerS'
  | 'qdiscDropsPerS'
>;

function ratesOf(first: LinkCounters | undefined, last: LinkCounters | undefined, seconds: number | undefined): Rates {
  const of = (...names: string[]) =>
    sum(names.map((name) => perSecond(first?.standard[name], last?.standard[name], seconds)));
  const bits = (bytes: number | undefined) => (bytes === undefined ? undefined : bytes * 8);
  const rates = {
    rxBps: bits(of('rx_bytes')),
    txBps: bits(of('tx_bytes')),
    rxPacketsPerS: of('rx_packets'),
    txPacketsPerS: of('tx_packets'),
    rxDropsPerS: of('rx_dropped', 'rx_missed_errors'),
    txDropsPerS: of('tx_dropped'),
    errorsPerS: of('rx_errors', 'tx_errors'),
    qdiscDropsPerS: perSecond(rootDrops(first), rootDrops(last), seconds),
  };
  return Object.fromEntries(Object.entries(rates).filter(([, value]) => value !== undefined));
}

const sum = (parts: readonly (number | undefined)[]): number | undefined =>
  parts.reduce((total, part) => (total === undefined || part === undefined ? undefined : total + part));

/** The root counts what those below it drop. */
const rootDrops = (counters: LinkCounters | undefined): number | undefined =>
  counters?.qdiscs.find(({ parent }) => parent === 'root')?.drops;
