import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { injectAll } from '../../support/inject.js';
import { hasLibsd } from '../../support/libsd.js';
import { requireTool } from '../../support/live.js';
import { LOADED_SERVERS, type Loaded } from '../../support/loaded-servers.js';
import { poll } from '../../support/poll.js';
import { ServerBench } from '../../support/servers.js';

const CYCLES = process.env.SOCKDOC_LONG ? 100 : 5;
const LIMIT_MS = 60_000 + CYCLES * 10_000;

let bench: ServerBench;
beforeEach(async () => {
  if (hasLibsd) bench = await ServerBench.begin();
});
afterEach(() => bench?.end());

/** Libsd comes into all of them, connections move, libsd goes, again and again, and nobody notices. */
class Migration {
  constructor(private readonly loaded: Loaded) {}

  async cycle(): Promise<void> {
    const { pids, port, ends } = this.loaded;
    const options = ['--monitor', bench.socket, '--after-calls', '1', '--timeout-ms', '30000'];
    await this.inject('attach', 'attached', options);
    // A connection moves when it is used.
    await poll(`${ends} ends by shared memory`, async () => {
      await this.answers();
      return (await this.moved(port)) >= ends && this.works();
    });
    await this.goesOn();
    await this.inject('detach', 'detached', ['--timeout-ms', '30000']);
    // The monitor hears it from each of them, and may be slow to listen.
    await poll(`none of ${pids()} by shared memory`, async () => (await this.moved(port)) === 0);
    await this.goesOn();
  }

  private async moved(port: number): Promise<number> {
    return (await bench.ends(port)).filter(({ transport }) => transport === 'shm').length;
  }

  private async inject(verb: 'attach' | 'detach', state: string, options: readonly string[]): Promise<void> {
    const said = await injectAll(verb, this.loaded.pids(), options);
    expect(said.filter((one) => one.state !== state)).toEqual([]);
  }

  /** More right answers, and nothing wrong. */
  async goesOn(): Promise<void> {
    const before = await this.answers();
    await poll('more answers', async () => {
      const now = await this.answers();
      return now.every((count, i) => count > (before[i] as number) + 20);
    });
    await sleep(50);
    this.works();
  }

  private answers(): Promise<number[]> {
    return Promise.all(
      this.loaded.checkers.map(async (checker) =>
        Number(/(\d+)\n/.exec(await checker.say(this.loaded.question ?? 'well?\n', /\d+\n/))?.[1]),
      ),
    );
  }

  works(): boolean {
    for (const one of [...this.loaded.checkers, ...this.loaded.benchmarks]) {
      one.running();
      expect(one.said).not.toMatch(this.loaded.trouble);
    }
    return true;
  }
}

describe.runIf(hasLibsd)('servers under full load, attached to and detached again', () => {
  for (const { name, needs, start } of LOADED_SERVERS) {
    it(`${name}: no error and no wrong byte at any client`, { timeout: LIMIT_MS }, async (context) => {
      requireTool(context, ...needs);
      const loaded = await start(bench);
      const { port, ends, benchmarks, trouble } = loaded;
      const migration = new Migration(loaded);
      await poll('all are connected', async () => migration.works() && (await bench.ends(port)).length >= ends);
      for (let i = 0; i < CYCLES; i++) await migration.cycle();
      await loaded.atLast?.();
      for (const { said } of benchmarks) expect(said).not.toMatch(trouble);
    });
  }
});
