import { expect, test } from 'vitest';
import type { Process } from '../../../../src/model/snapshot/index.js';
import type { SocketHolder } from '../../../../src/probes/connections.js';
import { processRows } from '../../../../src/services/watch/processes.js';

const process = (parts: Partial<Process> = {}): Process => ({
  pid: 7,
  ppid: 1,
  comm: 'server',
  startTicks: 100,
  uid: 0,
  threads: 2,
  children: 0,
  tcp: { listen: 1, established: 4, 'close-wait': 2 },
  udp: 1,
  unix: 3,
  ...parts,
});

const holder = (parts: Partial<Process> = {}, traffic: SocketHolder['traffic'] = {}): SocketHolder => ({
  process: process(parts),
  traffic,
});

const rowOf = (now: Partial<Process>, before: Partial<Process> | undefined, windowMs = 2000) =>
  processRows({ now: [holder(now)], before: before && [process(before)], windowMs }, () => undefined)[0];

test('a single reading has what is there, and neither rates nor shares', () => {
  expect(rowOf({ descriptors: { open: 20, sockets: 11, highest: 30, softLimit: 1024 }, runMs: 5 }, undefined)).toEqual({
    pid: 7,
    ppid: 1,
    comm: 'server',
    uid: 0,
    threads: 2,
    connections: 6,
    listeners: 1,
    udp: 1,
    unix: 3,
    descriptors: 20,
    descriptorLimit: 1024,
  });
});

test('two readings give rates by the second of the window', () => {
  const row = rowOf(
    { runMs: 1500, userMs: 600, systemMs: 900, runDelayMs: 50, voluntarySwitches: 30, involuntarySwitches: 12 },
    { runMs: 500, userMs: 500, systemMs: 0, runDelayMs: 10, voluntarySwitches: 10, involuntarySwitches: 10 },
  );
  expect(row).toMatchObject({
    cpuShare: 0.5,
    kernelShare: 0.9,
    runDelayMsPerS: 20,
    voluntarySwitchesPerS: 10,
    involuntarySwitchesPerS: 1,
  });
});

test('another process with the same pid has no rates', () => {
  const row = rowOf({ runMs: 1500, startTicks: 900 }, { runMs: 500 });
  expect(row).not.toHaveProperty('cpuShare');
});

test('threads that ended took their exact times with them: the ticks of the process count', () => {
  expect(rowOf({ runMs: 200, userMs: 900, systemMs: 100 }, { runMs: 100, userMs: 0, systemMs: 0 })?.cpuShare).toBe(0.5);
  const fell = rowOf(
    { runMs: 50, userMs: 900, systemMs: 100, runDelayMs: 1 },
    { runMs: 100, userMs: 0, systemMs: 0, runDelayMs: 5 },
  );
  expect(fell?.cpuShare).toBe(0.5);
  expect(fell).not.toHaveProperty('runDelayMsPerS');
});

test('few ticks say nothing about where they were spent', () => {
  expect(rowOf({ userMs: 0, systemMs: 10 }, { userMs: 0, systemMs: 0 })).not.toHaveProperty('kernelShare');
});

test('what moves over its connections is that of the native sums, also where the process has no times', () => {
  const traffic = { sendBps: 1e6, receiveBps: 2e6, retransmitsPerS: 3 };
  const now = [{ ...holder({}, traffic), container: 'web' }];
  expect(processRows({ now, before: [], windowMs: 1000 }, () => undefined)).toMatchObject([
    { ...traffic, container: 'web' },
  ]);
});

test('a namespace is named where it is not our own', () => {
  const rows = processRows(
    { now: [holder({ netns: '42' }), holder({ netns: '1' })], before: undefined, windowMs: 0 },
    (id) => (id === '42' ? 'blue' : undefined),
  );
  expect(rows.map((row) => row.netns)).toEqual(['blue', undefined]);
});
