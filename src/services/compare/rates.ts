import type { Rate } from '../../model/diff.js';
import type { NetnsReading, Snapshot } from '../../model/snapshot/index.js';

/** Rates that are this much alike say nothing. */
const ALIKE = 2;
const TROUBLE =
  /drop|err|overflow|fail|retrans|prune|pressure|abort|timeout|noroute|full|loss|lost|miss|fifo|squeez|reasm|collaps|zerowindow|reject|spurious|pswp|allocstall/i;

/** Growth per second of the counters of a namespace; undefined without two readings. */
export function netRates(snapshot: Snapshot, id: string): Map<string, number> | undefined {
  const [first, last] = snapshot.readings;
  const of = (reading: typeof first) => reading?.netns.find((namespace) => namespace.id === id);
  const [before, after] = [of(first), of(last)];
  if (!first || !last || !before || !after) return undefined;
  return perSecond(netCounters(before), netCounters(after), last.monotonicMs - first.monotonicMs);
}

/** Growth per second of what the host counts as one. */
export function hostRates(snapshot: Snapshot): Map<string, number> | undefined {
  const [first, last] = snapshot.readings;
  if (!first || !last) return undefined;
  return perSecond(hostCounters(first), hostCounters(last), last.monotonicMs - first.monotonicMs);
}

/** Rates that differ by more than a factor of two, trouble first, then those that changed most. */
export function compareRates(
  from: ReadonlyMap<string, number>,
  to: ReadonlyMap<string, number>,
  netns?: string,
): Rate[] {
  return [...new Set([...from.keys(), ...to.keys()])]
    .map((key) => ({
      key,
      ...(netns === undefined ? {} : { netns }),
      fromPerSecond: from.get(key) ?? 0,
      toPerSecond: to.get(key) ?? 0,
    }))
    .filter(({ fromPerSecond: a, toPerSecond: b }) => Math.max(a, b) > ALIKE * Math.min(a, b))
    .sort((a, b) => Number(TROUBLE.test(b.key)) - Number(TROUBLE.test(a.key)) || factor(b) - factor(a));
}

const factor = ({ fromPerSecond: a, toPerSecond: b }: Rate) => (Math.max(a, b) + 1) / (Math.min(a, b) + 1);

function netCounters({ counters, links }: NetnsReading): Map<string, number> {
  const all = new Map(Object.entries(counters));
  for (const link of links) {
    for (const [name, value] of Object.entries(link.standard)) all.set(`${link.name}.${name}`, value);
    for (const [name, value] of Object.entries(link.driver ?? {})) all.set(`${link.name}.driver.${name}`, value);
    for (const { kind, handle, parent, drops } of link.qdiscs)
      all.set(`${link.name}.qdisc.${kind}.${handle}${parent}.drops`, drops);
  }
  return all;
}

function hostCounters({ host }: Snapshot['readings'][number]): Map<string, number> {
  const sum = (pick: (cpu: (typeof host.softnet)[number]) => number) =>
    host.softnet.reduce((total, cpu) => total + pick(cpu), 0);
  return new Map([
    ...Object.entries(host.vmstat).map(([name, value]) => [`vmstat.${name}`, value] as const),
    ['softnet.dropped', sum((cpu) => cpu.dropped)],
    ['softnet.squeezed', sum((cpu) => cpu.squeezed)],
    ['softnet.processed', sum((cpu) => cpu.processed)],
    ...(host.contextSwitches === undefined ? [] : [['contextSwitches', host.contextSwitches] as const]),
    ...(host.forks === undefined ? [] : [['forks', host.forks] as const]),
  ]);
}

/** Counters that ran backwards were reset and say nothing. */
function perSecond(before: Map<string, number>, after: Map<string, number>, ms: number): Map<string, number> {
  const rates = new Map<string, number>();
  if (ms <= 0) return rates;
  for (const [key, value] of after) {
    const grown = value - (before.get(key) ?? value);
    if (grown > 0) rates.set(key, Number(((grown * 1000) / ms).toFixed(3)));
  }
  return rates;
}
