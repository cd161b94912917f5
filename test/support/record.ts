import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checks } from '../../src/checks/registry.js';
import { judge } from '../../src/services/diagnose/judge.js';
import { type Expected, expectationOf, hostsFolder, snapshotOfHost } from './fixture.js';

/**
 * Writes a recorded host: the snapshot as `check --save FILE.json.gz --redact` made it, and the findings that it gives
 * now. Whoever records reads the difference before committing it: what stands there is what the host must give.
 */
export function writeHost(name: string, snapshot: Buffer, about: Omit<Expected, 'findings' | 'passes'>): Expected {
  const folder = join(hostsFolder, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'snapshot.json.gz'), snapshot);
  const results = judge(checks, snapshotOfHost(name), { profile: about.profile ?? 'general', thresholds: {} });
  const expected = { ...about, ...expectationOf(results) };
  writeFileSync(join(folder, 'expected.json'), `${JSON.stringify(expected, null, 2)}\n`);
  return expected;
}
