import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compiled, hasLibsd, outcome, preloaded } from '../../support/libsd.js';
import { requireTool } from '../../support/live.js';
import { MonitorBench } from '../../support/monitor.js';

const PROGRAMS = [
  'epoll_edges',
  'epoll_kinds',
  'epoll_many',
  'epoll_places',
  'epoll_threads',
  'readiness',
  'waits_and_signals',
  'waits_and_threads',
];

// Whoever waits by poll, select or epoll sees the same whether the kernel or a ring carried the bytes.
describe.runIf(hasLibsd)('waiting for connections that went over to shared memory', () => {
  let bench: MonitorBench;
  beforeEach(() => {
    bench = new MonitorBench();
  });
  afterEach(() => bench.remove());

  const env = (more: Record<string, string> = {}) => ({
    ...preloaded,
    SOCKDOC_MONITOR: bench.socket,
    SOCKDOC_AFTER_CALLS: '1',
    ...more,
  });

  it.each(PROGRAMS)('%s', async (name) => {
    await bench.running();
    const program = compiled(`sockets/${name}`);
    const plain = outcome([program]);
    expect(plain).toMatchObject({ status: 0, signal: null });
    for (const spin of ['0', '30', '2000']) {
      expect(outcome([program], env({ SOCKDOC_SPIN_US: spin })), `spinning ${spin} us`).toEqual(plain);
    }
  });

  it('Python: selectors and asyncio', async (context) => {
    requireTool(context, 'python3');
    await bench.running();
    const program = ['python3', fileURLToPath(new URL('../../../fixtures/programs/libsd/echoing.py', import.meta.url))];
    const plain = outcome(program);
    expect(plain).toMatchObject({ status: 0, stderr: '' });
    expect(plain.stdout).toContain('asyncio: ');
    expect(outcome(program, env(), 120)).toEqual(plain);
  });
});
