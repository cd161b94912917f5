import { randomInt } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiled, hasLibsd, outcomeOf, preloaded, upgrading } from '../../support/libsd.js';
import { type Monitor, MonitorBench } from '../../support/monitor.js';
import { poll } from '../../support/poll.js';
import { sequence, VARIANTS } from '../../support/sequences.js';

// `npm run test:sockets:long` makes twenty times as many calls, fifty times as many switches, twenty times as many kills, and says
// how far it is. In pieces: `npm run test:sockets:long -- -t 'upgraded streams'`.
const LONG = process.env.SOCKDOC_LONG === '1';
const CALLS = LONG ? 1_000_000 : 51_000;
const CALLS_AT_ONCE = 17_000;
const SWITCHES = LONG ? 1_000_000 : 20_000;
const SWITCHES_AT_ONCE = 20_000;
const BYTES = 20_000_000;
const KILLS = LONG ? 1_000 : 50;
const KILLS_AT_ONCE = 50;
const HOSTILE_PEERS = LONG ? 5_000 : 50;
const TIMEOUT = LONG ? 12 * 3_600_000 : 300_000;
const seed = () => Number(process.env.SOCKDOC_SEED ?? randomInt(1, 2 ** 47));

/** In a long run: what was done so far, and with which seed the last part. */
function progress(what: string, done: number, all: number, last: number): void {
  if (!LONG) return;
  process.stderr.write(
    `${new Date().toISOString()} ${what}: ${Math.round(done)} of ${Math.round(all)}, seed ${last}\n`,
  );
}

/** A monitor that can be disturbed while others use it. */
class Disturbed {
  readonly bench = new MonitorBench();
  private monitor?: Monitor;

  get socket(): string {
    return this.bench.socket;
  }

  get pid(): number {
    return this.monitor?.pid ?? 0;
  }

  async start(): Promise<void> {
    this.monitor = await this.bench.running();
  }

  /** Kills and starts it again, or stops it for a moment, until the work is done. */
  async while<T>(how: 'killed' | 'stopped' | 'left alone', work: Promise<T>): Promise<T> {
    let over = false;
    const ended = work.finally(() => {
      over = true;
    });
    const disturbing = (async () => {
      while (!over && how !== 'left alone') {
        await sleep(how === 'killed' ? randomInt(200, 2000) : randomInt(1, 100));
        if (how === 'killed') {
          await this.monitor?.end('SIGKILL');
          if (randomInt(3) === 0) await sleep(randomInt(1, 100));
          await this.start();
        } else {
          process.kill(this.pid, 'SIGSTOP');
          await sleep(randomInt(1, 200));
          process.kill(this.pid, 'SIGCONT');
        }
      }
    })();
    const [result] = await Promise.all([ended, disturbing]);
    return result;
  }
}

interface Mode {
  name: string;
  upgrades: boolean;
  disturbance: 'killed' | 'stopped' | 'left alone';
  /** Which part of the calls, switches and kills. The kernel is there to show that the programs expect what it does. */
  part: number;
}

const MODES: Mode[] = [
  { name: 'on the kernel alone', upgrades: false, disturbance: 'left alone', part: 1 / 5 },
  { name: 'counted by libsd', upgrades: false, disturbance: 'left alone', part: 1 / 5 },
  { name: 'upgraded', upgrades: true, disturbance: 'left alone', part: 1 },
  { name: 'upgraded, the monitor killed and started again', upgrades: true, disturbance: 'killed', part: 1 / 10 },
  { name: 'upgraded, the monitor stopped now and then', upgrades: true, disturbance: 'stopped', part: 1 / 10 },
];

describe.runIf(hasLibsd)('random use of connections', () => {
  let monitor: Disturbed;
  beforeAll(async () => {
    monitor = new Disturbed();
    await monitor.start();
  });
  afterAll(() => monitor.bench.remove());

  const environment = (mode: Mode): Record<string, string> => {
    if (mode.upgrades) return upgrading(monitor.socket);
    return mode.name === 'counted by libsd' ? preloaded : {};
  };

  describe.each(MODES.map((mode) => [mode.name, mode] as const))('%s', (name, mode) => {
    it.each(VARIANTS)(
      'sequences of calls: %s',
      async (variant) => {
        let ringBytes = 0;
        const work = async () => {
          const all = (CALLS * mode.part) / VARIANTS.length;
          const calls = Math.min(all, CALLS_AT_ONCE);
          for (let made = 0; made < all; made += calls) {
            const it = { seed: seed(), calls, variant };
            const result = await sequence(it, environment(mode));
            expect(result.calls).toBeGreaterThan(calls / 2);
            progress(`${name}, calls, ${variant}`, made + calls, all, it.seed);
            ringBytes += result.ringBytes;
          }
        };
        await monitor.while(mode.disturbance, work());
        expect(ringBytes > 0).toBe(mode.upgrades);
      },
      TIMEOUT,
    );

    // A connection that a fork shares is the kernel's, and once a child has moved bytes that is for good.
    it.each([
      ['saving', (SWITCHES * mode.part) / 10],
      ['plain', SWITCHES * mode.part],
      ['spawning', (SWITCHES * mode.part) / 10],
      ['forking', 0],
    ])(
      'streams in both directions: %s',
      async (variant, switches) => {
        const made = { switches: 0 };
        do {
          const wanted = mode.upgrades ? Math.min(switches, SWITCHES_AT_ONCE) / 2 : 0;
          const args = [`${seed()}`, `${Math.ceil(wanted)}`, `${wanted > 0 ? 1e12 : BYTES * mode.part}`, variant];
          const work = outcomeOf([compiled('libsd/streams'), ...args], environment(mode), TIMEOUT / 1000);
          const { stdout, status, stderr } = await monitor.while(mode.disturbance, work);
          expect({ status, stderr }, `seed ${args[0]}: ${stdout}`).toEqual({ status: 0, stderr: '' });
          const ends = stdout
            .trim()
            .split('\n')
            .map((line) => JSON.parse(line));
          const [first, second] = ends.sort((a, b) => a.end - b.end);
          expect([first.received, second.received]).toEqual([second.sent, first.sent]);
          if (mode.upgrades) expect(first.switches + second.switches).toBeGreaterThanOrEqual(wanted);
          made.switches += first.switches + second.switches;
          progress(`${name}, switches, ${variant}`, made.switches, switches, Number(args[0]));
        } while (mode.upgrades && made.switches < switches);
      },
      TIMEOUT,
    );

    it(
      'processes that are killed',
      async () => {
        const shared = () => readdirSync('/dev/shm').filter((name) => name.includes('sockdoc'));
        const descriptors = () => readdirSync(`/proc/${monitor.pid}/fd`).length;
        const before = { shared: shared(), descriptors: descriptors() };
        const kills = Math.max(25, KILLS * mode.part);
        for (let done = 0; done < kills; done += KILLS_AT_ONCE) {
          const args = [`${seed()}`, `${Math.min(kills, KILLS_AT_ONCE)}`];
          const work = outcomeOf([compiled('libsd/killed'), ...args], environment(mode), TIMEOUT / 1000);
          const { stdout, status, stderr } = await monitor.while(mode.disturbance, work);
          expect({ status, stderr }, `seed ${args[0]}: ${stdout}`).toEqual({ status: 0, stderr: '' });
          const result = JSON.parse(stdout);
          expect(result.ended + result.reset).toBe(Number(args[1]));
          expect(result.ringBytes > 0).toBe(mode.upgrades);
          progress(`${name}, kills`, done + Number(args[1]), kills, Number(args[0]));
        }
        await poll('the monitor has nothing of them any more', () => descriptors() <= before.descriptors);
        expect(shared()).toEqual(before.shared);
      },
      TIMEOUT,
    );
  });

  it(
    'peers that scribble over all the memory that they share',
    async () => {
      const env = upgrading(monitor.socket);
      for (let rounds = 0; rounds < HOSTILE_PEERS; rounds += 50) {
        const args = [`${seed()}`, '50'];
        const { stdout, status, stderr } = await outcomeOf([compiled('libsd/hostile'), ...args], env, 120);
        expect({ status, stderr }, `seed ${args[0]}: ${stdout}`).toEqual({ status: 0, stderr: '' });
        expect(JSON.parse(stdout)).toEqual({ rounds: 50, onRings: 50 });
        progress('hostile peers', rounds + 50, HOSTILE_PEERS, Number(args[0]));
      }
    },
    TIMEOUT,
  );
});
