import type { NicRow } from '../../../model/views/nic.js';
import { collectLinkCounters, collectLinks } from '../../../probes/links.js';
import type { Namespace } from '../../../probes/namespaces.js';
import { collectRdma } from '../../../probes/rdma.js';
import type { GapList } from '../../diagnose/collecting/gaps.js';
import { type NicFacts, type NicReading, nicRows } from '../../views/nic.js';
import { Aged } from '../aged.js';
import { placeOf } from '../places.js';

/** A card's queues, offloads and interrupts: dear to read, and seldom changed. */
const LINKS_MS = 30_000;
const RDMA_MS = 120_000;

/** Interfaces of the namespaces that are looked at: counters at each reading, facts now and then. */
export class NicPart {
  readonly #rdma = new Aged(RDMA_MS, collectRdma);
  #netns = new Map<string, NetnsLinks>();

  async read(namespaces: readonly Namespace[], gaps: GapList): Promise<NicRow[]> {
    const known = this.#netns;
    this.#netns = new Map(namespaces.map(({ id, path }) => [id, known.get(id) ?? new NetnsLinks(path)]));
    const rdma = await gaps.attempt('rdma', () => this.#rdma.get());
    gaps.add(...(rdma?.gaps ?? []));
    const rows = await Promise.all(
      namespaces.map((namespace) => {
        const place = placeOf(namespace);
        const more = { ...(rdma && namespace.current ? { rdma: rdma.rdma } : {}), ...(place ? { netns: place } : {}) };
        return gaps.attempt('links', () => this.#read(namespace, more, gaps));
      }),
    );
    return rows.flatMap((some) => some ?? []);
  }

  async #read({ id }: Namespace, more: Omit<NicFacts, 'links'>, gaps: GapList): Promise<NicRow[]> {
    const netns = this.#netns.get(id);
    return netns ? netns.rows(more, gaps) : [];
  }
}

/** The interfaces of one namespace, with the counters of the reading before. */
class NetnsLinks {
  readonly #path: string;
  readonly #links;
  #before: NicReading | undefined;

  constructor(path: string) {
    this.#path = path;
    this.#links = new Aged(LINKS_MS, () => collectLinks(path));
  }

  async rows(more: Omit<NicFacts, 'links'>, gaps: GapList): Promise<NicRow[]> {
    const facts = await this.#links.get();
    const monotonicMs = performance.now();
    const { counters, gaps: unread } = await collectLinkCounters(this.#path, true);
    gaps.add(...facts.gaps, ...unread);
    if (!sameNames(facts.links, counters)) this.#links.expire();
    const now = { monotonicMs, counters };
    const rows = nicRows({ ...more, links: facts.links }, now, this.#before);
    this.#before = now;
    return rows;
  }
}

/** An interface came or went: the next reading asks for facts anew. */
function sameNames(a: readonly { name: string }[], b: readonly { name: string }[]): boolean {
  const names = new Set(a.map(({ name }) => name));
  return a.length === b.length && b.every(({ name }) => names.has(name));
}
