import { expect, test } from 'vitest';
import type { MigrateDocument } from '../../../../src/model/migrate.js';
import { prettyMigrate } from '../../../../src/report/pretty/migrate.js';
import { HOSTILE, isHarmless } from '../../../support/document.js';

const LOOK = { columns: undefined, colour: false, unicode: true, verbose: false };

const document = (parts: Partial<MigrateDocument> = {}): MigrateDocument => ({
  schemaVersion: 1,
  command: 'migrate',
  version: '1',
  takenAt: '2026-01-01T00:00:00.000Z',
  dryRun: false,
  back: false,
  processes: [
    { pid: 11, comm: 'redis-server', state: 'attached', named: true, stoppedMs: 12.5 },
    { pid: 22, comm: 'client', state: 'refused', named: false, code: 'traced', reason: 'Traced.', next: 'End strace.' },
  ],
  connections: { moved: 3, kept: 2, reasons: { 'nothing has been sent yet': 2 } },
  effects: [
    {
      client: { pid: 33, comm: 'cli' },
      server: { pid: 11, comm: 'redis-server' },
      before: { bytesPerS: 1_000_000, cpuCores: 1 },
      after: { bytesPerS: 4_000_000, cpuCores: 1 },
      timesThroughput: 4,
      timesLessCpu: 4,
      predictedTimesLessCpu: 5,
      predictedTimesLessCpuBetween: [4.2, 10.4],
    },
  ],
  gaps: [],
  ...parts,
});

test('each process, what it takes to help, the connections with reasons, the effect beside the prediction', () => {
  const text = prettyMigrate(document(), LOOK);
  expect(text).toMatch(/^ +11 +redis-server +attached +12\.5 ms$/m);
  expect(text).toMatch(/^ +22 +client +refused +Traced\.$/m);
  expect(text).toContain('! client 22: End strace.');
  expect(text).toContain('3 of 5 connections go by shared memory');
  expect(text).toContain('2 by the kernel: nothing has been sent yet');
  expect(text).toContain('Back: sockdoc migrate 11 --back');
  expect(text).toMatch(
    /cli 33 +redis-server 11 +977 KiB -> 3\.81 MiB +1\.00 -> 1\.00 +4\.0x +1\/4\.0 +1\/5\.0 +1\/4\.2 and 1\/10$/m,
  );
});

test('how long threads were stopped, as a distribution', () => {
  const stopped = { count: 14, medianMs: 2.1, p90Ms: 4, p99Ms: 8, maxMs: 8.5 };
  const text = prettyMigrate(document({ stopped }), LOOK);
  expect(text).toContain('Stopped 14 times: median 2.1 ms, 90 % within 4 ms, at most 8.5 ms');
  expect(prettyMigrate(document(), LOOK)).not.toContain('Stopped');
});

test('a dry run says what would be, and not how to take it back', () => {
  const text = prettyMigrate(document({ dryRun: true, effects: [] }), LOOK);
  expect(text).toContain('3 of 5 connections would go by shared memory');
  expect(text).not.toContain('Back:');
});

test('what kept a process from being left, each connection by its name; one alone is in the reason', () => {
  const refused = { pid: 11, comm: 'redis-server', state: 'refused' as const, named: true, code: 'timeout' };
  const one = { why: 'unread', direction: 'in' as const, fd: 7, local: '127.0.0.1:1', remote: '127.0.0.1:2' };
  const kept = [{ ...one, unreadBytes: 2048 }, { why: 'monitor' }];
  const text = prettyMigrate(document({ back: true, processes: [{ ...refused, keptCount: 20, kept }] }), LOOK);
  expect(text).toMatch(/^ +11 +7 +127\.0\.0\.1:1 +127\.0\.0\.1:2 +in +2 KiB +its program does not read them$/m);
  expect(text).toMatch(/^ +11 .* a thread was speaking with the monitor at each look$/m);
  expect(text).toContain('and 18 more');
  const alone = [{ ...refused, keptCount: 1, kept: kept.slice(0, 1) }];
  expect(prettyMigrate(document({ back: true, processes: alone }), LOOK)).not.toContain('UNREAD');
});

test('names and reasons cannot steer the terminal', () => {
  const kept = [{ why: HOSTILE, local: HOSTILE, remote: HOSTILE }];
  const said = { reason: HOSTILE, next: HOSTILE, keptCount: 2, kept };
  const processes = [{ pid: 1, comm: HOSTILE, state: 'refused' as const, named: true, ...said }];
  expect(isHarmless(prettyMigrate(document({ processes }), { ...LOOK, columns: 80 }))).toBe(true);
});

test.each([
  [{ moved: 0, kept: 51 }, false, 'none of 51 connections goes by shared memory'],
  [{ moved: 3, kept: 48 }, false, '3 of 51 connections still go by shared memory'],
  [{ moved: 3, kept: 48 }, true, '3 of 51 connections would go back to the kernel'],
])('back, with %o (dry run: %s)', (counts, dryRun, line) => {
  const connections = { ...counts, reasons: { 'its reason': counts.kept } };
  const text = prettyMigrate(document({ back: true, dryRun, connections }), LOOK);
  expect(text).toContain(line);
  expect(text, 'why a connection is on the kernel is no question after the way back').not.toContain('its reason');
});

test('what of the host could not be seen, only for those who ask', () => {
  const gaps = [{ probe: 'sockets', what: 'something else of the host', reason: 'permission denied' }];
  expect(prettyMigrate(document({ gaps }), LOOK)).not.toContain('something else');
  expect(prettyMigrate(document({ gaps }), { ...LOOK, verbose: true })).toContain('something else');
});
