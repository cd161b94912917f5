import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileAll, compiled, hasLibsd, LIBSD, outcomeOf } from '../../support/libsd.js';
import { MonitorBench } from '../../support/monitor.js';

interface End {
  sent: number;
  received: number;
  byRing: number;
}

const CYCLES = process.env.SOCKDOC_LONG ? 500 : 20;
/** Seconds: for a machine that does other things too. */
const LIMIT = 110 + CYCLES;
const WAYS = ['polling', 'level', 'edge', 'oneshot', 'blocking'];
const UNREAD = [
  'in the ring: 6',
  'leave: 0',
  'left: 1',
  'undo: 0',
  'stay: 0',
  'leave: 0',
  'left: 1',
  'read: 6',
  'stay: 0',
];
const WAITS = ['recv', 'MSG_WAITALL', 'poll', 'select', 'epoll_wait'];

// Two processes that were started plainly, with traffic in both directions that never stops: bytes say where they stand in the stream.
describe.runIf(hasLibsd).concurrent('connections of processes that run already', () => {
  let bench: MonitorBench;
  beforeAll(async () => {
    bench = new MonitorBench();
    await Promise.all([bench.running(), compileAll(['libsd/migrating', 'libsd/undone'])]);
  });
  afterAll(() => bench.remove());

  const migrate = async (...args: readonly string[]) => {
    const program = [compiled('libsd/migrating'), LIBSD, bench.socket, ...args];
    const { stdout, stderr, status } = await outcomeOf(program, {}, LIMIT - 10);
    expect({ stderr, status, said: status === 0 ? '' : stdout }).toEqual({ stderr: '', status: 0, said: '' });
    const [one, other] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)) as [End, End];
    expect(one).toMatchObject({ sent: other.received, received: other.sent });
    return Math.min(one.byRing, other.byRing);
  };

  it.each(WAYS)(
    'go over to rings and back, again and again: %s',
    async (way) => {
      // The program waits in each cycle until both directions are on rings, and says so when they never are.
      expect(await migrate(way, String(CYCLES), String(process.pid))).toBeGreaterThan(CYCLES * 5000);
    },
    LIMIT * 1000,
  );

  it.each(['edge', 'blocking'])(
    'lose nothing where libsd comes and goes at one end alone: %s',
    async (way) => {
      expect(await migrate(way, '5', String(process.pid), 'alone')).toBeGreaterThan(5000);
    },
    LIMIT * 1000,
  );

  it('keep libsd while bytes lie unread in a ring, and have theirs in threads that waited inside of hooks when it left', async () => {
    expect(await outcomeOf([compiled('libsd/undone'), LIBSD, bench.socket])).toEqual({
      stdout: [
        ...UNREAD,
        'leave: 0',
        'left: 0',
        'undo: 0',
        'changed code: 0',
        ...WAITS.map((call) => `${call}: 10 after undo`),
        '',
      ].join('\n'),
      stderr: '',
      status: 0,
      signal: null,
    });
  });
});
