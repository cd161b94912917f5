import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import type { Result, Status, Subject } from '../../src/model/results.js';
import type { Snapshot } from '../../src/model/snapshot/index.js';

export const hostsFolder = fileURLToPath(new URL('../../fixtures/hosts/', import.meta.url));

/** One finding of a recorded host. */
export interface ExpectedFinding {
  id: string;
  status: Status;
  subject?: Subject;
}

export interface Expected {
  /** What the host is, and what was made to be wrong with it. */
  description: string;
  profile?: 'general' | 'latency' | 'throughput' | 'connections';
  /** Every info, warn and fail; no other may appear. */
  findings: ExpectedFinding[];
  /** Checks that must pass; others may, as checks are added. */
  passes: string[];
}

export const recordedHosts = (): string[] =>
  readdirSync(hostsFolder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();

export const snapshotOfHost = (name: string): Snapshot =>
  JSON.parse(gunzipSync(readFileSync(join(hostsFolder, name, 'snapshot.json.gz'))).toString()) as Snapshot;

export const expectedOfHost = (name: string): Expected =>
  JSON.parse(readFileSync(join(hostsFolder, name, 'expected.json'), 'utf8')) as Expected;

/** The results of a run in the form in which a fixture keeps them. */
export function expectationOf(results: readonly Result[]): Pick<Expected, 'findings' | 'passes'> {
  const found = results.filter(({ status }) => status === 'info' || status === 'warn' || status === 'fail');
  return {
    findings: found.map(({ id, status, subject }) => ({ id, status, ...(subject ? { subject } : {}) })),
    passes: results.filter(({ status }) => status === 'pass').map(({ id }) => id),
  };
}
