import { setTimeout as sleep } from 'node:timers/promises';
import type { Gap } from '../../model/gap.js';
import type { ConnectionRow, ConnectionsDocument } from '../../model/views/connections.js';
import type { Filter } from '../../model/views/filter.js';
import type { ConnectionSort } from '../../model/views/request.js';
import type { ShortLived } from '../../model/views/short-lived.js';
import { type ConnectionSelection, type ConnectionsHead, ConnectionTable } from '../../probes/connections.js';
import { readContainerNames } from '../../probes/containers.js';
import { packageVersion } from '../../support/version.js';
import { GapList } from '../diagnose/collecting/gaps.js';
import type { Target } from '../diagnose/options.js';
import { listenersOf } from '../watch/listeners.js';
import { EndedPart } from '../watch/parts/ended.js';
import { placeOf } from '../watch/places.js';
import { Scope, type Scoped } from '../watch/scope.js';
import { readTransports } from '../watch/transports.js';

export interface ConnsOptions {
  target: Target;
  filter: Filter;
  sort: ConnectionSort | 'matters';
  reverse: boolean;
  /** Rows at most; left out: all. */
  limit?: number;
  /** Milliseconds between the first two readings; 0 reads once. */
  windowMs: number;
  /** Also count connections that end between two readings. */
  ended: boolean;
}

/** All of a document but its rows, and these as they came from the native reading: there may be very many. */
export interface UnparsedConnections {
  document: Omit<ConnectionsDocument, 'connections'>;
  rows: Buffer;
}

/** The whole document, for who looks at the rows. */
export function parseConnections({ document, rows }: UnparsedConnections): ConnectionsDocument {
  const { gaps, ...head } = document;
  return { ...head, connections: JSON.parse(rows.toString()) as ConnectionRow[], gaps };
}

/** TCP sockets of a target, reading after reading: each is compared with the one before it. */
export class ConnsView {
  readonly #table = new ConnectionTable();
  readonly #ended = new EndedPart();
  #scope: Scope | undefined;
  #containerNames: Record<string, string> | undefined;
  #read = false;

  constructor(private readonly options: ConnsOptions) {}

  /** `limit` in place of that of the options, where a terminal shows fewer rows. */
  async read(
    signal: AbortSignal,
    { limit = this.options.limit, rowPerLine = false } = {},
  ): Promise<UnparsedConnections> {
    const { windowMs } = this.options;
    if (!this.#read && windowMs > 0) {
      await this.#readTable(new GapList(), { limit: 0 });
      await pause(windowMs, signal);
    }
    const takenAt = new Date().toISOString();
    const gaps = new GapList();
    const how = { rowPerLine, ...(limit === undefined ? {} : { limit }) };
    const { head, rows, shortLived } = await this.#readTable(gaps, how);
    this.#read = true;
    gaps.add(...head.gaps);
    return { document: documentOf(head, shortLived, takenAt, gaps.all()), rows };
  }

  /** Ends what counts between readings. */
  close(): void {
    this.#ended.close();
  }

  async #readTable(gaps: GapList, how: Pick<ConnectionSelection, 'limit' | 'rowPerLine'>) {
    const { target, filter, sort, reverse } = this.options;
    this.#scope ??= await Scope.of(target);
    const scoped = await this.#scope.now(gaps);
    const { head, rows } = await this.#table.readBytes({
      netns: scoped.namespaces.map(labelled),
      selfPids: [process.pid],
      containerNames: await this.#names(),
      transports: await readTransports(),
      selection: { filter, sort, reverse, ...pidsOf(scoped), ...how },
    });
    return { head, rows, shortLived: await this.#readEnded(scoped, gaps) };
  }

  /** After the sockets: what a reading has shown is no longer unseen. */
  async #readEnded({ namespaces }: Scoped, gaps: GapList): Promise<ShortLived | undefined> {
    if (!this.options.ended) return undefined;
    const owners = gaps.attempt('listeners', () => listenersOf(this.#table, namespaces));
    return this.#ended.read(
      namespaces,
      owners.then((found) => found ?? []),
      gaps,
    );
  }

  async #names(): Promise<Record<string, string>> {
    if (this.#containerNames) return this.#containerNames;
    this.#containerNames = {};
    for (const [name, ids] of await readContainerNames()) for (const id of ids) this.#containerNames[id] = name;
    return this.#containerNames;
  }
}

/** Nobody is left of those that were asked for: that must not turn into everybody. */
const NOBODY = -1;

function pidsOf({ pids }: Scoped): Pick<ConnectionSelection, 'pids'> {
  if (pids === undefined) return {};
  return { pids: pids.length > 0 ? pids : [NOBODY] };
}

function labelled(namespace: Scoped['namespaces'][number]) {
  const label = placeOf(namespace);
  return { path: namespace.path, ...(label === undefined ? {} : { label }) };
}

function documentOf(
  { windowMs, totals }: ConnectionsHead,
  shortLived: ShortLived | undefined,
  takenAt: string,
  gaps: readonly Gap[],
) {
  return {
    schemaVersion: 1 as const,
    command: 'conns' as const,
    version: packageVersion(),
    takenAt,
    windowMs: Math.round(windowMs),
    ...(totals ? { totals } : {}),
    ...(shortLived ? { shortLived } : {}),
    gaps: [...gaps],
  };
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    throw signal.reason;
  }
}
