import type { Evidence, Status } from '../model/results.js';
import type { Finding } from './check.js';

type Extra = Omit<Finding, 'status' | 'summary' | 'evidence'>;

const finding =
  (status: Status) =>
  (summary: string, evidence: Evidence[] = [], extra: Extra = {}): Finding => ({ status, summary, evidence, ...extra });

export const pass = finding('pass');
export const info = finding('info');
export const warn = finding('warn');
export const fail = finding('fail');
/** What it needs could not be read; name the privilege that would help. */
export const unknown = finding('unknown');
/** This host, kernel, profile or window has nothing to judge. */
export const notApplicable = finding('not-applicable');

/** For checks that compare two readings, when there is only one. */
export const needsWindow = (): Finding => notApplicable('needs two readings: run with --window above 0');
