import type { Cpu, Rdma } from '../../model/snapshot/index.js';
import type { NicDocument } from '../../model/views/nic.js';
import { readProbes } from '../../probes/files.js';
import { topology } from '../../probes/host/cpus.js';
import { interrupts } from '../../probes/host/interrupts.js';
import { collectLinkCounters, collectLinks } from '../../probes/links.js';
import type { Namespace } from '../../probes/namespaces.js';
import type { LinksAnswer } from '../../probes/native.js';
import { collectRdma } from '../../probes/rdma.js';
import { packageVersion } from '../../support/version.js';
import { GapList } from '../diagnose/collecting/gaps.js';
import { chooseNamespaces } from '../diagnose/collecting/namespaces.js';
import { pause } from '../pause.js';
import { nicDetail } from '../views/nic/detail.js';
import { countersOf, type NicReading, nicRows } from '../views/nic.js';
import { Aged } from '../watch/aged.js';
import { placeOf } from '../watch/places.js';
import { noInterface } from './errors.js';

export interface NicOptions {
  /** The one interface that all is wanted of. */
  name?: string;
  /** Name below /run/netns, a pid, or "all". */
  netns?: string;
  /** Milliseconds between the first two readings; 0 reads once. */
  windowMs: number;
}

/** What moves, of one namespace. */
interface Moment extends NicReading {
  interrupts: Awaited<ReturnType<typeof readInterrupts>>;
}

/** What seldom changes. */
interface Facts {
  links: LinksAnswer[];
  rdma: Rdma | undefined;
  cpus: Cpu[];
}

/** Rings, features and the like: dear to ask of some cards, and seldom changed. */
const FACTS_MS = 10_000;

/** Interfaces, reading after reading: each is compared with the one before it. */
export class NicView {
  #before = new Map<string, Moment>();
  readonly #links = new Map<string, Aged<LinksAnswer>>();
  readonly #rdma = new Aged(FACTS_MS, collectRdma);
  readonly #topology = new Aged(FACTS_MS, () => readProbes({ topology }));

  constructor(private readonly options: NicOptions) {}

  async read(signal: AbortSignal): Promise<NicDocument> {
    const { windowMs, netns } = this.options;
    const gaps = new GapList();
    const { namespaces, gaps: unseen } = await chooseNamespaces(netns, undefined);
    gaps.add(...unseen);
    let facts: Facts;
    if (this.#before.size === 0 && windowMs > 0) {
      this.#before = await this.#readMoments(namespaces, gaps);
      [facts] = await Promise.all([this.#readFacts(namespaces, gaps), pause(windowMs, signal)]);
    } else facts = await this.#readFacts(namespaces, gaps);
    const takenAt = new Date().toISOString();
    const now = await this.#readMoments(namespaces, gaps);
    const before = this.#before;
    this.#before = now;
    return this.#document({ namespaces, facts, now, before, takenAt, gaps });
  }

  #document(read: {
    namespaces: readonly Namespace[];
    facts: Facts;
    now: ReadonlyMap<string, Moment>;
    before: ReadonlyMap<string, Moment>;
    takenAt: string;
    gaps: GapList;
  }): NicDocument {
    const { namespaces, facts, now, before, takenAt, gaps } = read;
    const { name } = this.options;
    const parts = namespaces.flatMap((namespace, at) => {
      const [answer, moment, earlier] = [facts.links[at], now.get(namespace.id), before.get(namespace.id)];
      if (!answer || !moment) return [];
      const place = placeOf(namespace);
      const rdma = namespace.current ? facts.rdma : undefined;
      // Facts may be older than the counters: what is gone by now is left out.
      const links = answer.links.filter(
        (link) => (name === undefined || link.name === name) && countersOf(moment, link) !== undefined,
      );
      if (answer.links.length !== moment.counters.length) this.#links.delete(namespace.id);
      const more = { links, ...(rdma ? { rdma } : {}), ...(place ? { netns: place } : {}) };
      return [{ answer, moment, earlier, links, rdma, rows: nicRows(more, moment, earlier) }];
    });
    const rows = parts.flatMap((part) => part.rows);
    if (name !== undefined && rows.length === 0)
      throw noInterface(
        name,
        facts.links.flatMap(({ links }) => links.map((link) => link.name)),
      );
    const one = name === undefined || rows.length !== 1 ? undefined : parts.find(({ links }) => links.length === 1);
    const [link] = one?.links ?? [];
    const measured = parts.map(({ moment, earlier }) => (earlier ? moment.monotonicMs - earlier.monotonicMs : 0));
    return {
      schemaVersion: 1,
      command: 'nic',
      version: packageVersion(),
      takenAt,
      windowMs: Math.round(Math.max(0, ...measured)),
      interfaces: rows,
      ...(one && link
        ? {
            detail: nicDetail(
              { link, addresses: one.answer.addresses, cpus: facts.cpus, rdma: one.rdma },
              { ...one.moment, counters: countersOf(one.moment, link) },
              one.earlier && { ...one.earlier, counters: countersOf(one.earlier, link) },
            ),
          }
        : {}),
      gaps: gaps.all(),
    };
  }

  async #readMoments(namespaces: readonly Namespace[], gaps: GapList): Promise<Map<string, Moment>> {
    const detailed = this.options.name !== undefined;
    const table = detailed ? await readInterrupts(gaps) : undefined;
    const moments = await Promise.all(
      namespaces.map(async ({ id, path }) => {
        const monotonicMs = performance.now();
        const answer = await gaps.attempt('links', () => collectLinkCounters(path, !detailed));
        gaps.add(...(answer?.gaps ?? []));
        return answer ? ([[id, { monotonicMs, counters: answer.counters, interrupts: table }]] as const) : [];
      }),
    );
    return new Map(moments.flat());
  }

  #linksOf({ id, path }: Namespace): Promise<LinksAnswer> {
    const known = this.#links.get(id) ?? new Aged(FACTS_MS, () => collectLinks(path));
    this.#links.set(id, known);
    return known.get();
  }

  async #readFacts(namespaces: readonly Namespace[], gaps: GapList): Promise<Facts> {
    const [links, rdma, cpus] = await Promise.all([
      Promise.all(namespaces.map((namespace) => gaps.attempt('links', () => this.#linksOf(namespace)))),
      namespaces.some(({ current }) => current) ? gaps.attempt('rdma', () => this.#rdma.get()) : undefined,
      this.options.name === undefined ? undefined : gaps.attempt('cpus', () => this.#topology.get()),
    ]);
    gaps.add(...links.flatMap((answer) => answer?.gaps ?? []), ...(rdma?.gaps ?? []), ...(cpus?.gaps ?? []));
    return {
      links: links.map((answer) => answer ?? { links: [], addresses: [], routes: [], counters: [], gaps: [] }),
      rdma: rdma?.rdma,
      cpus: cpus?.parts.topology?.cpus ?? [],
    };
  }
}

async function readInterrupts(gaps: GapList) {
  const read = await gaps.attempt('interrupts', () => readProbes({ interrupts }));
  gaps.add(...(read?.gaps ?? []));
  return read?.parts.interrupts;
}
