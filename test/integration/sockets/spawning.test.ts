import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiled, hasLibsd, outcomeOf, preloaded, upgrading } from '../../support/libsd.js';
import { MonitorBench } from '../../support/monitor.js';

/** The program is found in the last folder: as many tries fail before. */
const PATH = '/missing/1:/missing/2:/missing/3:/missing/4:/missing/5:/missing/6:/missing/7:/usr/bin';
const [FEW, MANY] = [100, 400];
/** Of system calls for each socket that a child inherits, once. */
const MOST_PER_SOCKET = { preloaded: 3, upgraded: 8 };

// A server with a thousand connections that starts programs: what is done for a child is done once, and for what it has.
describe.runIf(hasLibsd)('children of a process with many sockets cost few system calls', () => {
  let bench: MonitorBench;
  beforeAll(async () => {
    bench = new MonitorBench();
    await bench.running();
  });
  afterAll(() => bench.remove());

  const environments = { preloaded: () => preloaded, upgraded: () => upgrading(bench.socket) };

  for (const [name, environment] of Object.entries(environments)) {
    const calls = async (sockets: number, how: 'closes' | 'leaves') => {
      const env = { ...environment(), PATH };
      const { stdout, stderr, status } = await outcomeOf([compiled('libsd/spawn_calls'), `${sockets}`, how], env);
      expect({ stderr, status }, stdout).toEqual({ stderr: '', status: 0 });
      return Number(stdout);
    };

    it(`${name}: none for those that it closes`, async () => {
      const few = await calls(FEW, 'closes');
      expect(few).toBeGreaterThan(10);
      expect(await calls(MANY, 'closes')).toBeLessThan(few + 20);
    });

    it(`${name}: a few for each that it inherits`, async () => {
      const more = (await calls(MANY, 'leaves')) - (await calls(FEW, 'leaves'));
      expect(more / (MANY - FEW)).toBeLessThan(MOST_PER_SOCKET[name as keyof typeof environments]);
    });
  }
});
