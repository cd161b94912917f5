import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileAll, compiled, hasLibsd, LIBSD, outcomeOf } from '../../support/libsd.js';
import { MonitorBench } from '../../support/monitor.js';

interface End {
  end: number;
  cycles: number;
  sent: number;
  received: number;
  byRing: number;
}

const CYCLES = process.env.SOCKDOC_LONG ? 500 : 20;
const WAYS = ['polling', 'level', 'edge', 'oneshot', 'blocking'];

// Two processes that were started plainly, with traffic in both directions that never stops: bytes say where they stand in the stream.
describe.runIf(hasLibsd).concurrent('connections of processes that run already', () => {
  let bench: MonitorBench;
  beforeAll(async () => {
    bench = new MonitorBench();
    await Promise.all([bench.running(), compileAll(['libsd/migrating'])]);
  });
  afterAll(() => bench.remove());

  it.each(WAYS)('go over to rings and back, again and again: %s', async (way) => {
    const program = [compiled('libsd/migrating'), LIBSD, bench.socket, way, String(CYCLES), String(process.pid)];
    const { stdout, stderr, status } = await outcomeOf(program, {}, 50 + CYCLES);
    expect({ stderr, status, said: status === 0 ? '' : stdout }).toEqual({ stderr: '', status: 0, said: '' });
    const [one, other] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)) as [End, End];
    expect(one).toMatchObject({ cycles: CYCLES, sent: other.received, received: other.sent });
    // The program waits in each cycle until both directions are on rings, and says so when they never are.
    expect(Math.min(one.byRing, other.byRing)).toBeGreaterThan(CYCLES * 5000);
  });
});
