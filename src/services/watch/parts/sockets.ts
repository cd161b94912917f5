import type { Process } from '../../../model/snapshot/index.js';
import type { Frame } from '../../../model/views/frame.js';
import type { FrameRequest } from '../../../model/views/request.js';
import type { PortOwners } from '../../../probes/connection-events.js';
import { currentNetns } from '../../../probes/namespaces.js';
import { SocketProbe, type SocketsAnswer } from '../../../probes/native.js';
import type { GapList } from '../../diagnose/collecting/gaps.js';
import { descriptorRows } from '../../views/descriptors.js';
import { totalsOf } from '../connections.js';
import { placeOf } from '../places.js';
import { processRows } from '../processes.js';
import type { Scoped } from '../scope.js';

/** What sockets and processes give to a frame. */
export interface SocketReading {
  rows: Pick<Frame, 'totals' | 'connections' | 'processes' | 'descriptors'>;
  owners: readonly PortOwners[];
}

interface Readings {
  monotonicMs: number;
  processes: readonly Process[];
}

/** Sockets joined with processes: one pass over /proc and one dump per namespace feed three of the tabs. */
export class SocketPart {
  #probe: SocketProbe | undefined;
  #before: Readings | undefined;

  async read(scope: Scoped, request: Readonly<FrameRequest>, gaps: GapList): Promise<SocketReading> {
    const answer = await gaps.attempt('sockets', () => this.#ask(scope, request));
    if (answer === undefined)
      return { rows: { totals: totalsOf([]), connections: [], processes: [], descriptors: [] }, owners: [] };
    gaps.add(...answer.gaps);
    const now = { monotonicMs: answer.monotonicMs, processes: wanted(answer.host.processes, scope.pids) };
    const digests = answer.netns.flatMap(({ sockets }) => (sockets ? [sockets] : []));
    const rows = { ...this.#processes(now, scope), totals: totalsOf(digests), connections: [] };
    this.#before = now;
    return { rows, owners: answer.netns.flatMap(ownersOf) };
  }

  close(): void {
    this.#probe?.close();
  }

  #ask({ namespaces, pids }: Scoped, _request: Readonly<FrameRequest>): Promise<SocketsAnswer> {
    this.#probe ??= new SocketProbe();
    return this.#probe.read({
      netns: namespaces.map(({ path }) => path),
      ...(pids ? { pids: [...pids] } : {}),
      selfPids: [process.pid],
      rows: false,
    });
  }

  #processes(now: Readings, { namespaces }: Scoped): Pick<Frame, 'processes' | 'descriptors'> {
    const before = this.#before;
    const place = new Map(namespaces.map((namespace) => [namespace.id, placeOf(namespace)]));
    const own = currentNetns().id;
    const netnsName = (id: string) => (id === own ? undefined : (place.get(id) ?? id));
    const windowMs = before === undefined ? 0 : now.monotonicMs - before.monotonicMs;
    const others = now.processes.filter(({ pid }) => pid !== process.pid);
    return {
      processes: processRows({ now: others, before: before?.processes, windowMs }, netnsName),
      descriptors: descriptorRows({ ...now, processes: others, namespaces: new Set(place.keys()) }, before),
    };
  }
}

const ownersOf = ({ id, sockets }: SocketsAnswer['netns'][number]): PortOwners[] =>
  id === undefined || !sockets ? [] : [{ id, listeners: sockets.listeners }];

/** The selected ones: the probe reports every process that holds sockets. */
function wanted(processes: readonly Process[], pids: readonly number[] | undefined): readonly Process[] {
  if (pids === undefined) return processes;
  const selected = new Set(pids);
  return processes.filter(({ pid }) => selected.has(pid));
}
