import { expect, test } from 'vitest';
import type { SchedulerDocument, SchedulerView, ThreadRow } from '../../../../src/model/views/scheduler.js';
import { prettySched } from '../../../../src/report/pretty/sched.js';

const PLAIN = { columns: 100, colour: false, unicode: true, verbose: false, all: false, interactive: true };

const thread = (more: Partial<ThreadRow>): ThreadRow => ({
  pid: 7,
  tid: 7,
  comm: 'server',
  process: 'server',
  servesSockets: true,
  state: 'S',
  cpu: 0,
  ...more,
});

const document = (scheduler: Partial<SchedulerView>, more: Partial<SchedulerDocument> = {}): SchedulerDocument => ({
  schemaVersion: 1,
  command: 'sched',
  version: '1.0.0',
  takenAt: '2026-01-01T00:00:00.000Z',
  windowMs: 1000,
  scheduler: { source: 'bpf', cpus: [{ cpu: 0 }], threads: [], threadsLeftOut: 0, ...scheduler },
  gaps: [],
  ...more,
});

const delay = { unit: 'us' as const, counts: [0, 3, 1], total: 4, sumUs: 18, maxUs: 7 };

test('says what its numbers are made of', () => {
  const text = prettySched(document({ runDelay: delay, wakeupLatency: delay, switchesPerS: 1234 }), PLAIN);
  expect(text).toContain('Scheduler over 1 s · every wake-up, counted in the kernel (BPF) · 1.23k/s context switches');
  expect(text).toContain('Run-queue delay: 4 times, 5 µs on average');
  expect(text).toContain('Wake-up latency: 4 times');
  expect(text).toMatch(/2 µs to 4 µs {7}3 {2}█+\n/);
  const sums = prettySched(
    document(
      { source: 'procfs' },
      { gaps: [{ probe: 'scheduler', what: 'histograms', reason: 'no', needs: 'CAP_BPF' }] },
    ),
    PLAIN,
  );
  expect(sums).toContain('sums from /proc, without single wake-ups');
  expect(sums).toContain('CAP_BPF would help: histograms: no');
  expect(prettySched(document({}, { windowMs: 0 }), PLAIN)).toContain('read once: no rates');
});

test('a person sees the first threads, a pipe all of them', () => {
  const threads = Array.from({ length: 30 }, (_, i) => thread({ tid: i + 7, comm: `worker-${i}` }));
  const short = prettySched(document({ threads, threadsLeftOut: 5 }), PLAIN);
  expect(short).toContain('worker-19');
  expect(short).not.toContain('worker-20');
  expect(short).toContain('and 10 more threads (--all)');
  expect(short).toContain('5 threads that slept, or beyond the limit, are not shown');
  expect(prettySched(document({ threads }), { ...PLAIN, interactive: false })).toContain('worker-29');
  expect(prettySched(document({ threads }), { ...PLAIN, all: true })).toContain('worker-29');
});

test('fits narrow terminals and plain ASCII, and names cannot steer the terminal', () => {
  const threads = [thread({ comm: 'evil\u001b[2J', cpuShare: 0.5, runDelayMsPerS: 250, meanDelayUs: 20_000 })];
  const text = prettySched(document({ runDelay: delay, threads }), { ...PLAIN, columns: 60, unicode: false });
  for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(60);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
  expect(text).not.toMatch(/[^\x0a\x20-\x7e]/);
  expect(text).toContain('25 %');
  const coloured = prettySched(document({ threads }), { ...PLAIN, colour: true });
  expect(coloured).toContain('\u001b[31m20 ms\u001b[0m');
});
