import type { Status, Subject } from '../../model/results.js';

export type Severity = Extract<Status, 'info' | 'warn' | 'fail'>;

/** Hides findings that their owner knows and accepts. */
export interface Suppression {
  id: string;
  /** Fields that the finding's subject must have; `*` in a text stands for anything. Left out: every finding of the check. */
  subject?: Subject;
  reason: string;
  /** The last day on which it holds, "2026-12-31". */
  expires?: string;
  /** Where it stands, for people. */
  file: string;
  line: number;
}

/** Which severity a check's findings get: one for all, or one for each of its own. */
export type SeverityRule = Severity | Partial<Record<Severity, Severity>>;

export interface Config {
  /** Files that it was read from, nearest first. */
  files: string[];
  suppressions: Suppression[];
  severity: Record<string, SeverityRule>;
  /** By check id and threshold name. */
  thresholds: Record<string, Record<string, number>>;
}

export const emptyConfig = (): Config => ({ files: [], suppressions: [], severity: {}, thresholds: {} });
