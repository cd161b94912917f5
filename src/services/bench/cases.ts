import type { Workshop } from '../../control/bench/workshop.js';
import type { BenchTransport } from '../../model/bench.js';

/** What libsd and its monitor say of what was measured. */
export interface Carried {
  upgraded: boolean;
  /** Of the bytes, where the program asks libsd itself. */
  ringShare?: number;
  /** Why it was not upgraded. */
  reason?: string;
}

/** What one repetition gave. */
export interface Sample {
  /** Of round trips the median (µs), else the rate (1/s). */
  value: number;
  /** Within the repetition, where it has many values. */
  p99?: number;
  mean?: number;
  /** Under libsd. */
  carried?: Carried;
}

/** Programs that run and can be measured again and again. */
export interface Rig {
  /** Whose CPU time is ours. */
  pids(): number[];
  close(): Promise<void>;
}

export interface Context {
  workshop: Workshop;
  transport: BenchTransport;
}

/** One line of a result's table, for every transport. */
export interface Case<Of extends Rig = Rig> {
  suite: string;
  name: string;
  bytes: number;
  /** Of the server, of the client; empty: not pinned. */
  cpus: readonly number[];
  metric: string;
  unit: 'us' | '1/s';
  better: 'lower' | 'higher';
  transports: readonly BenchTransport[];
  /** Cases with the same key and transport share a rig, when they follow each other. */
  rig: { key: string; open(context: Context): Promise<Of> };
  /** One repetition of this case. */
  measure(rig: Of, durationMs: number): Promise<Sample>;
}

export interface Program {
  name: string;
  package: string;
}

export interface PlanOptions {
  quick: boolean;
  cpus: readonly number[];
}

export interface Suite {
  id: string;
  title: string;
  measures: string;
  transports: readonly BenchTransport[];
  programs: readonly Program[];
  /** Its cases on this host, and what cannot be measured here. */
  plan(options: PlanOptions): { cases: Case[]; missing: { case: string; reason: string; next?: string }[] };
}

/** Two CPUs, then one for both; with a single CPU only the latter. */
export function placements(cpus: readonly number[]): (readonly number[])[] {
  const [first, second] = cpus;
  if (first === undefined) return [];
  return second === undefined
    ? [[first, first]]
    : [
        [first, second],
        [first, first],
      ];
}
