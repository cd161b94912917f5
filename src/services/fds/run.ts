import type { Gap } from '../../model/gap.js';
import type { DescriptorRow, DescriptorsDocument } from '../../model/views/descriptors.js';
import { type DescriptorsAnswer, readDescriptors } from '../../probes/native.js';
import { packageVersion } from '../../support/version.js';
import { GapList } from '../diagnose/collecting/gaps.js';
import { chooseNamespaces } from '../diagnose/collecting/namespaces.js';
import { select } from '../diagnose/collecting/selection.js';
import type { Target } from '../diagnose/options.js';
import { pause } from '../pause.js';
import { descriptorRows } from '../views/descriptors.js';
import { notWatched } from '../views/suspicions.js';
import { deniedError, endedError } from './errors.js';

export interface FdsOptions {
  /** The one process whose descriptors are listed. */
  pid?: number;
  target: Target;
  /** Milliseconds between the first two readings; 0 reads once. */
  windowMs: number;
  /** Rows at most; left out: all. */
  limit?: number;
  /** Also read large epoll sets, which holds their program up. */
  allWatches: boolean;
}

/** Descriptors of processes, reading after reading: each is compared with the one before it. */
export class FdsView {
  #before: DescriptorsAnswer | undefined;

  constructor(private readonly options: FdsOptions) {}

  async read(signal: AbortSignal): Promise<DescriptorsDocument> {
    const { windowMs, limit } = this.options;
    const gaps = new GapList();
    const pids = await this.#pids();
    if (!this.#before && windowMs > 0) {
      this.#before = await readDescriptors(pids ? { pids } : {});
      await pause(windowMs, signal);
    }
    const takenAt = new Date().toISOString();
    const now = await this.#readNow(pids);
    const wanted = await this.#wanted(now, gaps);
    const rows = descriptorRows({ ...now, processes: wanted }, this.#before);
    const measured = this.#before ? now.monotonicMs - this.#before.monotonicMs : 0;
    this.#before = now;
    gaps.add(...now.gaps);
    return {
      schemaVersion: 1,
      command: 'fds',
      version: packageVersion(),
      takenAt,
      windowMs: Math.round(measured),
      matching: rows.length,
      processes: withDetail(limit === undefined ? rows : rows.slice(0, limit), now),
      ...(now.descriptors ? { descriptors: now.descriptors } : {}),
      gaps: gaps.all() as Gap[],
    };
  }

  async #pids(): Promise<number[] | undefined> {
    const { pid, target } = this.options;
    const { pids } = await select(pid === undefined ? target : { pids: [pid] });
    return pids ? [...pids] : undefined;
  }

  async #readNow(pids: number[] | undefined): Promise<DescriptorsAnswer> {
    const { pid, allWatches, target } = this.options;
    const now = await readDescriptors({ ...(pids ? { pids } : {}), detail: pid !== undefined, allWatches });
    const [denied] = now.denied;
    if (denied !== undefined && now.processes.length === 0) throw deniedError(denied);
    const asked = pid === undefined ? target.pids : [pid];
    for (const one of asked) {
      if (!now.denied.includes(one) && !now.processes.some((process) => process.pid === one)) throw endedError(one);
    }
    return now;
  }

  /** Without sockdoc itself, and only those of the namespace that was asked for. */
  async #wanted(now: DescriptorsAnswer, gaps: GapList) {
    const { pid, target } = this.options;
    if (pid !== undefined || target.pids.length > 0) return now.processes;
    const others = now.processes.filter((process) => process.pid !== globalThis.process.pid);
    if (target.netns === undefined || target.netns === 'all') return others;
    const { namespaces, gaps: unseen } = await chooseNamespaces(target.netns, undefined);
    gaps.add(...unseen);
    const ids = new Set(namespaces.map(({ id }) => id));
    return others.filter(({ netns }) => netns !== undefined && ids.has(netns));
  }
}

/** What only the single descriptors tell is said in the row of their process. */
function withDetail(rows: DescriptorRow[], { descriptors }: DescriptorsAnswer): DescriptorRow[] {
  const found = descriptors && notWatched(descriptors);
  return found ? rows.map((row) => ({ ...row, suspicions: [...(row.suspicions ?? []), found] })) : rows;
}
