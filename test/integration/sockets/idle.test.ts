import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiled, hasLibsd, outcomeOf, upgrading } from '../../support/libsd.js';
import { MonitorBench } from '../../support/monitor.js';

const LONG = process.env.SOCKDOC_LONG === '1';
const CONNECTIONS = LONG ? 10_000 : 200;
const SMALL = 4000;
const LARGE = 1 << 20;
const SECONDS = 2;
const MOST_KIB = 64;

interface End {
  onRings: number;
  cpuUs: number;
  switches: number;
  privateKiB: number;
  slabKiB: number;
  again: number;
}

describe.runIf(hasLibsd)('connections on rings that are idle', () => {
  let bench: MonitorBench;
  beforeAll(async () => {
    bench = new MonitorBench();
    await bench.running();
  });
  afterAll(() => bench.remove());

  const idle = async (connections: number, bytes: number, how: string): Promise<End[]> => {
    const command = [compiled('libsd/idle'), `${connections}`, `${bytes}`, `${SECONDS}`, how];
    const { stdout, stderr, status } = await outcomeOf(command, upgrading(bench.socket), 600);
    expect({ stderr, status }, stdout).toEqual({ stderr: '', status: 0 });
    return stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  };

  it.each([
    ['epoll', SMALL, CONNECTIONS],
    ['epoll', LARGE, CONNECTIONS],
    ['poll', LARGE, 50],
    ['select', LARGE, 50],
    ['recv', LARGE, 50],
  ] as const)(
    'in %s after %i bytes use no CPU and little memory, and carry again',
    async (how, bytes, connections) => {
      for (const end of await idle(connections, bytes, how)) {
        expect(end.onRings).toBe(connections);
        expect(end.switches).toBeLessThan(5);
        expect(end.cpuUs).toBeLessThan((SECONDS * 1e6) / 100);
        expect((end.privateKiB + end.slabKiB) / connections).toBeLessThan(MOST_KIB);
        expect(end.again).toBeGreaterThan(0);
      }
    },
    600_000,
  );
});
