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

const EXECUTED = 36; // of native/abi/reasons.h

// A child is told of a descriptor in its arguments or its environment. What was there before the socket can hardly mean it.
describe.runIf(hasLibsd)('a number in the environment that is also that of a socket', () => {
  let bench: MonitorBench;
  beforeAll(async () => {
    bench = new MonitorBench();
    await bench.running();
  });
  afterAll(() => bench.remove());

  it.each([
    ['was there when the program was started: it stays on its ring', { LEVEL: '200' }, 0],
    ['was there, by the custom of its name for a descriptor: it goes back', { CLIENT_FD: '200' }, EXECUTED],
    ['was set since: it goes back', {}, 0],
  ])('%s', async (_, variables, first) => {
    const env = { ...upgrading(bench.socket), ...variables } as Record<string, string>;
    const { stdout, stderr, status } = await outcomeOf([compiled('libsd/told')], env);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    expect(stdout.trim().split('\n')).toEqual([
      `at its start: reason ${first}, status 0`,
      'read: 8',
      `since: reason ${EXECUTED}, status 0`,
      'read: 8',
    ]);
  });
});
