import { readFileSync } from 'node:fs';
import type { Namespace } from '../../probes/namespaces.js';
import type { GapList } from '../diagnose/collecting/gaps.js';
import { chooseNamespaces, type Namespaces } from '../diagnose/collecting/namespaces.js';
import { type Selection, select, selectAgain } from '../diagnose/collecting/selection.js';
import type { Target } from '../diagnose/options.js';

/** What a reading is about. */
export interface Scoped {
  namespaces: readonly Namespace[];
  /** Undefined: all processes. */
  pids: readonly number[] | undefined;
}

/** All that were asked for have ended: to the native probes no pids would mean every process, and no process is 0. */
const NOBODY = [0];

export const someOf = (pids: readonly number[]): number[] => [...(pids.length > 0 ? pids : NOBODY)];

/** Looking for new processes and namespaces costs more than a reading of few sockets. */
const LOOK_AGAIN_MS = 5000;

/** The processes and namespaces that a target names, kept up to date while they come and go. */
export class Scope {
  readonly #target: Target;
  /** Of the processes that were named by pid: when they began. */
  readonly #starts: ReadonlyMap<number, string | undefined>;
  #selection: Selection;
  #chosen: Namespaces;
  #lookedMs = performance.now();

  /** Fails with a SockdocError where the target is not there or may not be read: asked for by name. */
  static async of(target: Target): Promise<Scope> {
    const selection = await select(target);
    return new Scope(target, selection, await chooseNamespaces(target.netns, selection.pids));
  }

  private constructor(target: Target, selection: Selection, chosen: Namespaces) {
    this.#target = target;
    this.#starts = new Map(target.pids.map((pid) => [pid, startOf(pid)]));
    this.#selection = selection;
    this.#chosen = chosen;
  }

  /** What has ended by now is a gap, not an error: a screen that is looked at goes on. */
  async now(gaps: GapList): Promise<Scoped> {
    if (performance.now() - this.#lookedMs >= LOOK_AGAIN_MS) await this.#look();
    const ended = new Set([...this.#starts].flatMap(([pid, start]) => (startOf(pid) === start ? [] : [pid])));
    gaps.add(...this.#chosen.gaps);
    for (const pid of ended) gaps.add({ probe: 'processes', what: `process ${pid}`, reason: 'it has ended' });
    return {
      // A pid that was given away again leads into the namespace of a stranger.
      namespaces: this.#chosen.namespaces.filter(({ path }) => !ended.has(Number(/^\/proc\/(\d+)\//.exec(path)?.[1]))),
      pids: this.#selection.pids?.filter((pid) => !ended.has(pid)),
    };
  }

  async #look(): Promise<void> {
    this.#lookedMs = performance.now();
    this.#selection = await selectAgain(this.#target, this.#selection);
    try {
      this.#chosen = await chooseNamespaces(this.#target.netns, this.#selection.pids);
    } catch {
      // All of them have ended: what is left of them is read as before, and whatever that misses is a gap.
    }
  }
}

/** Clock ticks after boot, field 22 of /proc/PID/stat; undefined for a process that is not there. */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
