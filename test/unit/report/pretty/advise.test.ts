import { expect, test } from 'vitest';
import type { AdviseDocument, AdvisedPair } from '../../../../src/model/advise.js';
import { prettyAdvise } from '../../../../src/report/pretty/advise.js';
import { HOSTILE, isHarmless } from '../../../support/document.js';

const LOOK = { columns: undefined, colour: false, unicode: true, verbose: false };

const pair = (parts: Partial<AdvisedPair> = {}): AdvisedPair => ({
  client: { pid: 11, comm: 'wrk', uid: 0, cpuCores: 0.5, socketShare: 0.8 },
  server: { pid: 22, comm: 'nginx', uid: 33, cpuCores: 0.9, socketShare: 0.7 },
  ports: [80, 443],
  connections: 50,
  byMemory: 0,
  traffic: {
    toServer: { bytesPerS: 1_000_000, segmentsPerS: 20_000 },
    toClient: { bytesPerS: 5_000_000, segmentsPerS: 20_000 },
    messagesPerS: 40_000,
    roundTripsPerS: 20_000,
  },
  prediction: {
    socketPathCores: 1.03,
    source: 'sampled',
    memoryCores: 0.03,
    undisturbedCores: 0,
    savedCores: 1,
    timesLessCpu: 3.5,
    timesLessCpuBetween: [2.6, 10.4],
    roundTripUs: { byKernel: 40, byMemory: 0.4 },
  },
  verdict: 'migrate',
  obstacles: [],
  ...parts,
});

const document = (pairs: AdvisedPair[]): AdviseDocument => ({
  schemaVersion: 1,
  command: 'advise',
  version: '1',
  takenAt: '2026-01-01T00:00:00.000Z',
  windowMs: 1000,
  pairs,
  seen: pairs.length,
  gaps: [],
});

test('a pair is a line, what stands in its way a sentence with what would help', () => {
  const blocked = pair({
    verdict: 'blocked',
    obstacles: [{ pid: 22, code: 'traced', reason: 'process 5 traces it', next: 'End strace.', blocks: true }],
  });
  const text = prettyAdvise(document([pair(), blocked]), LOOK);
  expect(text).toMatch(
    /1\.00 +3\.5x +2\.6-10x +wrk 11 +nginx 22 +80,443 +50 +40k +5\.72 MiB .* 40 µs -> 0\.4 µs +migrate/,
  );
  expect(text).toContain('! nginx 22 (traced): process 5 traces it. End strace.');
});

test('nothing that talks is said, not an empty table', () => {
  const text = prettyAdvise(document([]), LOOK);
  expect(text).toContain('0 pairs of processes');
  expect(text).not.toContain('SAVES');
  // That nobody talks to one process says nothing of the host.
  const ofOne = prettyAdvise({ ...document([]), pids: [7] }, LOOK);
  expect(ofOne).toContain('0 pairs of processes talk over TCP on this host, process 7 as an end, over 1 s');
});

test('figures that others disturbed are told as such', () => {
  const costs = { smallUs: 8, largeUs: 9, wakeUpUs: 20, smallRoundTripUs: 50, largeRoundTripUs: 60 };
  const host = { measuredAt: '2026-01-01T00:00:00.000Z', kernel: '6.18.0', bootId: 'b', version: '1', cpus: [0, 1] };
  const calibration = { ...host, smallBytes: 64, largeBytes: 16384, byKernel: costs, byMemory: costs };
  const told = (othersPercent?: number) => {
    const measured = othersPercent === undefined ? calibration : { ...calibration, othersPercent };
    return prettyAdvise({ ...document([pair()]), calibration: measured }, LOOK);
  };
  expect(told(63)).toContain('Others took 63 % of these CPUs meanwhile');
  for (const percent of [undefined, 20]) expect(told(percent)).not.toContain('Others took');
});

test('names of processes cannot steer the terminal', () => {
  const hostile = pair({ client: { pid: 1, comm: HOSTILE, uid: 0 } });
  expect(isHarmless(prettyAdvise(document([hostile]), { ...LOOK, columns: 80 }))).toBe(true);
});
