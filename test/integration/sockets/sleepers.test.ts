import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiled, hasLibsd, outcomeOf, upgrading } from '../../support/libsd.js';
import { MonitorBench } from '../../support/monitor.js';

const BURSTS = process.env.SOCKDOC_LONG === '1' ? 100_000 : 1500;
const SEED = Number(process.env.SOCKDOC_SEED ?? Math.trunc(Math.random() * 1e9));

// A wake-up that is lost keeps the sender waiting: the program then says so, and fails.
describe.runIf(hasLibsd)(`a reader of bursts that sleeps between them (seed ${SEED})`, () => {
  let bench: MonitorBench;
  beforeAll(async () => {
    bench = new MonitorBench();
    await bench.running();
  });
  afterAll(() => bench.remove());

  it.each(['recv', 'signals', 'poll', 'select', 'level', 'edge'])(
    'in %s is woken by each',
    async (how) => {
      const command = [compiled('libsd/sleepy'), `${BURSTS}`, `${SEED}`, how];
      const { stdout, stderr, status } = await outcomeOf(command, upgrading(bench.socket), 600);
      expect({ stderr, status }, stdout).toEqual({ stderr: '', status: 0 });
      const carried = JSON.parse(stdout);
      // Who sleeps on a set is woken by a doorbell, once there is one; others by the kernel's bytes.
      const bySet = how === 'level' || how === 'edge';
      expect(carried.byRing).toBeGreaterThan(bySet ? 0.85 * carried.bytes : 0);
      expect(carried.bytes).toBeGreaterThan(carried.byRing);
    },
    600_000,
  );
});
