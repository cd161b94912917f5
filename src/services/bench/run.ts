import { existsSync } from 'node:fs';
import { LineTransfer } from '../../control/bench/worker.js';
import { Workshop } from '../../control/bench/workshop.js';
import { libsd } from '../../control/monitor/places.js';
import type { BenchDocument, BenchResult, BenchTransport, NotMeasured } from '../../model/bench.js';
import { notPossible, SockdocError } from '../../support/errors.js';
import { packageVersion } from '../../support/version.js';
import type { Case, Rig } from './cases.js';
import { benchHost } from './host.js';
import { cpuUse, othersPercent } from './neighbours.js';
import { cpusToUse, DURATION_MS, QUICK_DURATION_MS } from './options.js';
import { programVersions } from './programs.js';
import { type Repetition, resultOf } from './results.js';
import { suitesOf } from './suites.js';

export const REPETITIONS = 5;

export interface BenchOptions {
  suites: readonly string[];
  transports: readonly BenchTransport[];
  quick: boolean;
  durationMs?: number;
  cpus?: readonly number[];
  /** Called between repetitions alone: drawing would disturb them. */
  progress?(done: number, all: number, what: string): void;
}

/** Measures, one case after the other, all transports of a case in turns. `signal` ends it, with nothing left. */
export async function runBench(options: BenchOptions, signal: AbortSignal): Promise<BenchDocument> {
  const suites = suitesOf(options.suites);
  const host = benchHost();
  const cpus = cpusToUse(options.cpus, host.allowedCpus);
  const { quick, transports } = options;
  if (transports.includes('shm') && !existsSync(libsd()))
    throw notPossible(`there is no libsd here (${libsd()}): it is built for x86-64 alone`, {
      next: 'Example: sockdoc bench run rtt --transport kernel,unix',
    });
  const begun = performance.now();
  const takenAt = new Date().toISOString();
  const plans = suites.map((suite) => ({ suite, ...suite.plan({ quick, cpus }) }));
  const durationMs = options.durationMs ?? (quick ? QUICK_DURATION_MS : DURATION_MS);
  const missing = plans.flatMap(({ suite, missing }) => missing.map((one) => ({ suite: suite.id, ...one })));
  const run = new Run(
    plans.flatMap(({ cases }) => cases),
    transports,
    durationMs,
    signal,
    options.progress,
  );
  const results = await run.all();
  return {
    schemaVersion: 1,
    command: 'bench run',
    version: packageVersion(),
    takenAt,
    durationMs: Math.round(performance.now() - begun),
    settings: {
      suites: suites.map(({ id }) => id),
      transports: [...transports],
      quick,
      durationMs,
      repetitions: REPETITIONS,
      cpus: [...cpus],
      environment: Object.fromEntries(
        Object.entries(process.env).filter((entry): entry is [string, string] =>
          /^SOCKDOC_(SPIN_US|AFTER_CALLS)$/.test(entry[0]),
        ),
      ),
    },
    host,
    versions: programVersions(suites.flatMap(({ programs }) => programs)),
    results,
    notMeasured: [...missing, ...run.failed],
  };
}

class Run {
  readonly failed: NotMeasured[] = [];
  private readonly workshop = new Workshop();
  private readonly rigs = new Map<BenchTransport, { key: string; rig: Rig }>();
  private line: LineTransfer | undefined;
  private done = 0;

  constructor(
    private readonly cases: readonly Case[],
    private readonly transports: readonly BenchTransport[],
    private readonly durationMs: number,
    private readonly signal: AbortSignal,
    private readonly progress: BenchOptions['progress'],
  ) {}

  async all(): Promise<BenchResult[]> {
    // What waits for an answer fails at once when all programs are ended.
    const stop = () => void this.workshop.close();
    this.signal.addEventListener('abort', stop, { once: true });
    try {
      const results: BenchResult[] = [];
      for (const one of this.cases) results.push(...(await this.measured(one)));
      return results;
    } catch (error) {
      throw this.signal.aborted ? this.signal.reason : error;
    } finally {
      this.signal.removeEventListener('abort', stop);
      await this.workshop.close();
    }
  }

  /** Every transport of a case, in turns, so that each meets the same good and bad moments of the machine. */
  private async measured(one: Case): Promise<BenchResult[]> {
    const repetitions = new Map<BenchTransport, Repetition[]>();
    for (const transport of this.transports.filter((name) => one.transports.includes(name)))
      repetitions.set(transport, []);
    for (let turn = 0; turn < REPETITIONS; turn++) {
      for (const transport of rotated([...repetitions.keys()], turn)) {
        this.signal.throwIfAborted();
        const label = `${one.suite} ${one.name}, ${transport}`;
        this.progress?.(this.done++, this.cases.length * REPETITIONS * this.transports.length, label);
        try {
          const rig = await this.rigOf(one, transport);
          repetitions.get(transport)?.push(await this.repetition(one, rig));
        } catch (error) {
          if (this.signal.aborted || !(error instanceof SockdocError)) throw error;
          // One that fails does not take the others' figures with it.
          repetitions.delete(transport);
          await this.drop(transport);
          const next = error.next === undefined ? {} : { next: error.next };
          this.failed.push({ suite: one.suite, case: one.name, transport, reason: error.message, ...next });
        }
      }
    }
    return [...repetitions].map(([transport, list]) => resultOf(one, transport, list));
  }

  private async repetition(one: Case, rig: Rig): Promise<Repetition> {
    const [first, second] = one.cpus;
    const line = first !== second ? { lineTransferNs: await this.lineTransfer(one.cpus) } : {};
    const own = [...new Set(one.cpus)];
    const before = cpuUse(own, rig.pids());
    const sample = await one.measure(rig, this.durationMs);
    const after = cpuUse(own, rig.pids());
    return { ...sample, ...line, othersPercent: othersPercent(before, after, own.length) };
  }

  /** All cases with two CPUs have the same two. */
  private async lineTransfer(cpus: readonly number[]): Promise<number> {
    this.line ??= await LineTransfer.start(this.workshop, cpus);
    return this.line.ns();
  }

  private async rigOf(one: Case, transport: BenchTransport): Promise<Rig> {
    const there = this.rigs.get(transport);
    if (there?.key === one.rig.key) return there.rig;
    await this.drop(transport);
    const rig = await one.rig.open({ workshop: this.workshop, transport });
    this.rigs.set(transport, { key: one.rig.key, rig });
    return rig;
  }

  private async drop(transport: BenchTransport): Promise<void> {
    await this.rigs.get(transport)?.rig.close();
    this.rigs.delete(transport);
  }
}

const rotated = <T>(list: readonly T[], by: number): T[] => list.map((_, i) => list[(i + by) % list.length] as T);
