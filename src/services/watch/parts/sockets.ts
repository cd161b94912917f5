import type { Process } from '../../../model/snapshot/index.js';
import type { Frame } from '../../../model/views/frame.js';
import type { FrameRequest } from '../../../model/views/request.js';
import type { PortOwners } from '../../../probes/connection-events.js';
import {
  type ConnectionSelection,
  type ConnectionsAnswer,
  ConnectionTable,
  type SocketHolder,
} from '../../../probes/connections.js';
import { readContainerNames } from '../../../probes/containers.js';
import { currentNetns } from '../../../probes/namespaces.js';
import type { GapList } from '../../diagnose/collecting/gaps.js';
import { descriptorRows } from '../../views/descriptors.js';
import { Aged } from '../aged.js';
import { listenersOf } from '../listeners.js';
import { placeOf } from '../places.js';
import { processRows } from '../processes.js';
import { type Scoped, someOf } from '../scope.js';
import { readTransports } from '../transports.js';

/** Threads whose times are read for the sums of their processes. */
const MOST_THREADS = 4096;

/** Engines keep the names of their containers in files of their own. */
const CONTAINERS_MS = 60_000;

/** What sockets and processes give to a frame. */
export interface SocketReading {
  rows: Pick<Frame, 'totals' | 'connections' | 'processes' | 'descriptors'>;
  owners: readonly PortOwners[];
  /** The processes of the rows. */
  holders: readonly Process[];
}

const NOTHING: SocketReading = {
  rows: { connections: [], processes: [], descriptors: [] },
  owners: [],
  holders: [],
};

interface Readings {
  monotonicMs: number;
  processes: readonly Process[];
}

/** Sockets joined with processes: one dump per namespace and a look at the processes feed three of the tabs. */
export class SocketPart {
  readonly #containers = new Aged(CONTAINERS_MS, namesById);
  #table: ConnectionTable | undefined;
  #before: Readings | undefined;
  /** Of the last reading, when it was one. */
  #isRead = false;
  #selected: readonly number[] | undefined;

  async read(scope: Scoped, request: Readonly<FrameRequest>, gaps: GapList): Promise<SocketReading> {
    this.#selected = scope.pids;
    const answer = await gaps.attempt('sockets', () => this.#ask(scope, request));
    this.#isRead = answer !== undefined;
    if (answer === undefined) return NOTHING;
    gaps.add(...answer.gaps);
    const holders = wanted(answer.processes ?? [], scope.pids);
    const now = { monotonicMs: answer.monotonicMs, processes: holders.map(({ process }) => process) };
    const rows = { ...selectedOf(answer), ...this.#rows(now, holders, scope) };
    this.#before = now;
    const owners = await gaps.attempt(
      'listeners',
      async () => this.#table && listenersOf(this.#table, scope.namespaces),
    );
    return { rows, owners: owners ?? [], holders: now.processes };
  }

  /** Other rows of the last reading; undefined when it failed. */
  async select(request: Readonly<FrameRequest>): Promise<Pick<Frame, 'totals' | 'connections'> | undefined> {
    if (!this.#isRead) return undefined;
    const answer = await this.#table?.select(selectionOf(request, this.#selected));
    return answer && selectedOf(answer);
  }

  async #ask({ namespaces, pids }: Scoped, request: Readonly<FrameRequest>): Promise<ConnectionsAnswer> {
    this.#table ??= new ConnectionTable();
    return this.#table.read({
      netns: namespaces.map((namespace) => ({ path: namespace.path, ...labelled(placeOf(namespace)) })),
      selfPids: [process.pid],
      selection: selectionOf(request, pids),
      processes: true,
      threads: MOST_THREADS,
      transports: await readTransports(),
      containerNames: await this.#containers.get(),
    });
  }

  #rows(
    now: Readings,
    holders: readonly SocketHolder[],
    { namespaces }: Scoped,
  ): Pick<Frame, 'processes' | 'descriptors'> {
    const before = this.#before;
    const place = new Map(namespaces.map((namespace) => [namespace.id, placeOf(namespace)]));
    const own = currentNetns().id;
    const netnsName = (id: string) => (id === own ? undefined : (place.get(id) ?? id));
    const windowMs = before === undefined ? 0 : now.monotonicMs - before.monotonicMs;
    return {
      processes: processRows({ now: holders.filter(seenIn(place)), before: before?.processes, windowMs }, netnsName),
      descriptors: descriptorRows({ ...now, namespaces: new Set(place.keys()) }, before),
    };
  }
}

async function namesById(): Promise<Record<string, string>> {
  const names = await readContainerNames();
  return Object.fromEntries([...names].flatMap(([name, ids]) => ids.map((id) => [id, name])));
}

const selectedOf = ({ totals, connections }: ConnectionsAnswer): Pick<Frame, 'totals' | 'connections'> => ({
  ...(totals ? { totals } : {}),
  connections,
});

const labelled = (label: string | undefined) => (label === undefined ? {} : { label });

const selectionOf = (
  { filter, sort, reverse, limit, keep }: Readonly<FrameRequest>,
  pids: readonly number[] | undefined,
): ConnectionSelection => ({ filter, sort, reverse, limit, keep, ...(pids ? { pids: someOf(pids) } : {}) });

/** The selected ones without sockdoc itself, which the frame has elsewhere. */
function wanted(holders: readonly SocketHolder[], pids: readonly number[] | undefined): readonly SocketHolder[] {
  const selected = pids && new Set(pids);
  return holders.filter(({ process: { pid } }) => (selected ? selected.has(pid) : pid !== process.pid));
}

/** Of a process in a namespace that was not read it would look as if it had no connections. */
const seenIn =
  (read: ReadonlyMap<string, unknown>) =>
  ({ process: { netns, tcp, udp, unix } }: SocketHolder): boolean =>
    netns === undefined || read.has(netns) || udp + unix > 0 || Object.keys(tcp).length > 0;
