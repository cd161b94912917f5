import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiled, hasLibsd, outcomeOf, upgrading } from '../../support/libsd.js';
import { MonitorBench } from '../../support/monitor.js';

const CONNECTIONS = process.env.SOCKDOC_LONG === '1' ? 10_000 : 200;
const SECONDS = 2;
const MOST_KIB = 64;

interface End {
  onRings: number;
  cpuUs: number;
  switches: number;
  privateKiB: number;
  slabKiB: number;
}

// Each has carried small messages. What larger ones leave in memory is in docs/run.md.
describe.runIf(hasLibsd)('connections on rings that are idle', () => {
  let bench: MonitorBench;
  let ends: End[];
  beforeAll(async () => {
    bench = new MonitorBench();
    await bench.running();
    const command = [compiled('libsd/idle'), `${CONNECTIONS}`, '4000', `${SECONDS}`];
    const { stdout, stderr, status } = await outcomeOf(command, upgrading(bench.socket), 600);
    expect({ stderr, status }, stdout).toEqual({ stderr: '', status: 0 });
    ends = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  }, 600_000);
  afterAll(() => bench.remove());

  it('use no CPU', () => {
    for (const { onRings, cpuUs, switches } of ends) {
      expect(onRings).toBe(CONNECTIONS);
      expect(switches).toBeLessThan(5);
      expect(cpuUs).toBeLessThan((SECONDS * 1e6) / 100);
    }
  });

  it(`take less than ${MOST_KIB} KiB each`, () => {
    for (const { privateKiB, slabKiB } of ends) expect((privateKiB + slabKiB) / CONNECTIONS).toBeLessThan(MOST_KIB);
  });
});
