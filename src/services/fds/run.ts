import type { Gap } from '../../model/gap.js';
import type { DescriptorRow, DescriptorsDocument } from '../../model/views/descriptors.js';
import { type FileProbe, readProbes } from '../../probes/files.js';
import { fileNr } from '../../probes/host/memory.js';
import { type DescriptorsAnswer, readDescriptors } from '../../probes/native.js';
import { SockdocError } from '../../support/errors.js';
import { packageVersion } from '../../support/version.js';
import { GapList } from '../diagnose/collecting/gaps.js';
import { chooseNamespaces } from '../diagnose/collecting/namespaces.js';
import { select } from '../diagnose/collecting/selection.js';
import type { Target } from '../diagnose/options.js';
import { pause } from '../pause.js';
import { descriptorRows } from '../views/descriptors.js';
import { detailSuspicions } from '../views/suspicions.js';
import { absentError, deniedError } from './errors.js';

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
      ...(await readHost(gaps)),
      matching: rows.length,
      processes: withDetail(limit === undefined ? rows : rows.slice(0, limit), now),
      ...(now.descriptors ? { descriptors: now.descriptors } : {}),
      gaps: gaps.all() as Gap[],
    };
  }

  async #pids(): Promise<number[] | undefined> {
    const { pid, target } = this.options;
    try {
      const { pids } = await select(pid === undefined ? target : { pids: [pid] });
      return pids ? [...pids] : undefined;
    } catch (error) {
      throw pid === undefined || !(error instanceof SockdocError) ? error : await whyNot(pid, error);
    }
  }

  async #readNow(pids: number[] | undefined): Promise<DescriptorsAnswer> {
    const { pid, allWatches, target } = this.options;
    const now = await readDescriptors({ ...(pids ? { pids } : {}), detail: pid !== undefined, allWatches });
    const [first] = now.denied;
    if (first !== undefined && now.processes.length === 0) throw deniedError(first);
    for (const one of pid === undefined ? target.pids : [pid]) {
      if (now.denied.includes(one)) throw deniedError(one);
      if (!now.processes.some((process) => process.pid === one)) throw await absentError(one);
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

/** What selecting says of the namespace of a process, said of its descriptors. */
async function whyNot(pid: number, error: SockdocError): Promise<SockdocError> {
  if (error.kind === 'not-permitted') return deniedError(pid);
  // A zombie has no namespaces any more, which looks as if it were not there.
  return error.kind === 'not-possible' ? absentError(pid, error) : error;
}

/** What only the single descriptors tell is said in the row of their process. */
function withDetail(rows: DescriptorRow[], { descriptors = [] }: DescriptorsAnswer): DescriptorRow[] {
  const found = detailSuspicions(descriptors);
  return found.length > 0 ? rows.map((row) => ({ ...row, suspicions: [...(row.suspicions ?? []), ...found] })) : rows;
}

/** Of the whole host; absent where /proc/sys is hidden. */
async function readHost(gaps: GapList): Promise<Pick<DescriptorsDocument, 'host'>> {
  const read = await gaps.attempt('descriptors', () => readProbes({ fileNr, nrOpen }));
  gaps.add(...(read?.gaps ?? []));
  const { fileNr: files, nrOpen: perProcessMax } = read?.parts ?? {};
  if (!files) return {};
  return { host: { open: files.allocated, max: files.max, ...(perProcessMax === undefined ? {} : { perProcessMax }) } };
}

const NR_OPEN = '/proc/sys/fs/nr_open';
const nrOpen: FileProbe<number | undefined> = {
  name: 'descriptors',
  wants: { files: [NR_OPEN] },
  parse: (found) => found.integer(NR_OPEN),
};
