import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { requireCgroup, withCgroup } from '../../support/cgroup.js';
import { inject } from '../../support/inject.js';
import { hasLibsd } from '../../support/libsd.js';
import { requireRoot } from '../../support/live.js';
import { poll } from '../../support/poll.js';
import { ask, type Done, Talking, together, upgraded } from '../../support/talking.js';
import { startProgram, type Victim } from '../../support/victim.js';

/** KiB of memory that is the process's alone, and that no other could give back: exact, unlike what /proc/PID/status says. */
function ownMemory({ pid }: Victim): number {
  const all = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Anonymous:\s+(\d+) kB/m.exec(all)?.[1]);
}

// What libsd takes of a program's memory, beside the rings: a group that is full has to have room for it.
describe.runIf(hasLibsd)('memory that is the program’s', () => {
  let talking: Talking;
  const plain: Victim[] = [];
  beforeEach(() => {
    talking = new Talking();
  });
  afterEach(async () => {
    for (const program of plain.splice(0)) await program.stop();
    await talking.remove();
  });

  const growth = async (ends: [Victim, Victim], work: () => Promise<unknown>) => {
    const before = ends.map(ownMemory);
    await work();
    return Math.max(...ends.map((end, i) => ownMemory(end) - (before[i] as number)));
  };
  const warm = async (ends: [Victim, Victim]) => {
    await together(ends, 'push 3000000', 'pull 3000000');
    await together(ends, 'pull 3000000', 'push 3000000');
    await together(ends, 'both 100', 'both 100');
  };
  /** Not under libsd. `prefix`: of the first. */
  const plainPair = async (prefix: readonly string[] = []): Promise<[Victim, Victim]> => {
    const server = await startProgram('libsd/talk.c', ['listen'], { prefix });
    plain.push(server, await startProgram('libsd/talk.c', [server.ready]));
    const ends = plain.slice(-2) as [Victim, Victim];
    await warm(ends);
    return ends;
  };
  /** While it sleeps in epoll_wait. */
  const attach = async (ends: [Victim, Victim], end: 0 | 1) => {
    const other = ends[end === 0 ? 1 : 0];
    const awaits = ends[end].tell('await');
    await sleep(50);
    const args = ['--monitor', talking.bench.socket, '--after-calls', '1', '--timeout-ms', '20000'];
    const said = inject('attach', ends[end].pid, { args });
    await ask<Done>(other, 'push 10');
    await awaits;
    await ask<Done>(ends[end], 'pull 10');
    return said;
  };

  const attached = async (ends: [Victim, Victim], end: 0 | 1) => {
    const said = await attach(ends, end);
    expect(said.state, JSON.stringify(said)).toBe('attached');
  };

  it('hardly grows when its first connection goes over to memory', async () => {
    const ends = await talking.pair();
    await warm(ends);
    const kilobytes = await growth(ends, async () => {
      await talking.bench.running();
      await upgraded(ends);
    });
    expect(kilobytes).toBeLessThanOrEqual(28);
  });

  it('grows by little when it is attached to: most of that are pages of libc’s code', async () => {
    const ends = await plainPair();
    await talking.bench.running();
    const kilobytes = await growth(ends, async () => {
      for (const end of [0, 1] as const) await attached(ends, end);
      await poll('both share memory', async () => {
        await together(ends, 'both 20', 'both 20');
        return ends.every(({ pid }) => readFileSync(`/proc/${pid}/maps`, 'utf8').includes('memfd:sockdoc-slab'));
      });
      await together(ends, 'both 200', 'both 200');
    });
    expect(kilobytes).toBeLessThanOrEqual(172);
  });

  it('does not grow where its group has no room for it: it is not attached to', async (ctx) => {
    requireRoot(ctx);
    requireCgroup(ctx, 'memory', 'memory.limit_in_bytes');
    await withCgroup('memory', async (group) => {
      const ends = await plainPair(group.prefix);
      await talking.bench.running();
      const used = Number(await group.read('memory.usage_in_bytes'));
      await group.write('memory.limit_in_bytes', used + (100 << 10));
      expect(await attach(ends, 0)).toMatchObject({
        state: 'refused',
        code: 'memory',
        reason: expect.stringContaining('control group'),
      });
      await together(ends, 'push 2000000', 'pull 2000000');
      await group.write('memory.limit_in_bytes', -1);
      await attached(ends, 0);
      await together(ends, 'push 2000000', 'pull 2000000');
      for (const program of plain.splice(0)) await program.stop();
    });
  });
});
