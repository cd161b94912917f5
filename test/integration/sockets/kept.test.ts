import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { requireCgroup, type TestGroup, withCgroup } from '../../support/cgroup.js';
import { hasLibsd } from '../../support/libsd.js';
import { requireRoot } from '../../support/live.js';
import { poll } from '../../support/poll.js';
import { ask, type Done, state, Talking, together, upgraded } from '../../support/talking.js';
import type { Victim } from '../../support/victim.js';

/** Of native/abi/reasons.h. */
const [DENIED, QUOTA_BYTES, NO_MEMORY] = [23, 26, 27];
/** More than a program and libsd take of address space, less than that and the slab of two rings of 4 MiB. */
const SPACE = 96 << 20;

const sharedBy = ({ pid }: Victim) => readFileSync(`/proc/${pid}/maps`, 'utf8').includes('memfd:sockdoc-slab');

// Real bytes, which come whole whatever carries them.
describe.runIf(hasLibsd)('connections stay on the kernel, and share nothing', () => {
  let talking: Talking;
  beforeEach(() => {
    talking = new Talking();
  });
  afterEach(() => talking.remove());

  const policed = async (text: string) => {
    const policy = talking.bench.policy('policy');
    writeFileSync(policy, text);
    return await talking.bench.running(['--policy', policy]);
  };

  /** Until somebody has said why. */
  async function refused(ends: [Victim, Victim], end: 0 | 1): Promise<number> {
    return await poll('there is a reason', async () => {
      await together(ends, 'both 100', 'both 100');
      const { reason } = await state(ends[end]);
      return [DENIED, QUOTA_BYTES, NO_MEMORY].includes(reason) ? reason : undefined;
    });
  }

  it('where the policy denies it', async () => {
    await policed('deny any\n');
    const ends = await talking.pair();
    expect([await refused(ends, 0), await refused(ends, 1)]).toEqual([DENIED, DENIED]);
    await together(ends, 'push 2000000', 'pull 2000000');
    for (const end of ends) {
      expect(sharedBy(end)).toBe(false);
      expect(await state(end)).toMatchObject({ mapped: false, ringSent: 0, ringReceived: 0 });
    }
  });

  it('only until the quota is a larger one', async () => {
    const monitor = await policed('limit bytes=64K\n');
    const ends = await talking.pair();
    expect(await refused(ends, 0)).toBe(QUOTA_BYTES);
    writeFileSync(talking.bench.policy('policy'), '');
    process.kill(monitor.pid, 'SIGHUP');
    await poll('both have made the thousands of calls after which they ask again', async () => {
      await together(ends, 'push 50000000', 'pull 50000000');
      await together(ends, 'pull 50000000', 'push 50000000');
      return (await state(ends[0])).mapped;
    });
    await upgraded(ends);
    await together(ends, 'push 2000000', 'pull 2000000');
  });

  it('where there is no memory for it in one of the two when it is about to begin', async () => {
    await policed('limit ring=4M\n');
    const ends = await talking.pair({}, ['prlimit', `--as=${SPACE}`]);
    expect(await refused(ends, 0)).toBe(NO_MEMORY);
    await together(ends, 'push 2000000', 'pull 2000000');
    await together(ends, 'answer 300000', 'say 300000');
    expect(sharedBy(ends[0])).toBe(false);
    expect(await state(ends[0])).toMatchObject({ mapped: false });
    for (const end of ends) expect(await state(end)).toMatchObject({ ringSent: 0, ringReceived: 0 });
  });

  it('where one half was shut down before, of which the other goes on', async () => {
    const ends = await talking.pair();
    await together(ends, 'push 1000', 'pull 1000');
    await ask(ends[0], 'shut');
    expect(await ask<Done>(ends[1], 'eof')).toMatchObject({ result: 0 });
    await talking.bench.running();
    for (let turn = 0; turn < 100; turn++) await together(ends, 'pull 20000', 'push 20000');
    for (const end of ends) expect(await state(end)).toMatchObject({ ringSent: 0, ringReceived: 0 });
    await ask(ends[1], 'close');
    expect(await ask<Done>(ends[0], 'eof')).toMatchObject({ result: 0, wrong: 0 });
  });

  it('or not, where one half is shut down while it crosses: no byte is lost, and the end is the end', async () => {
    await talking.bench.running();
    for (let messages = 0; messages < 5; messages++) {
      const ends = await talking.pair();
      if (messages > 0) await together(ends, `both ${messages}`, `both ${messages}`);
      await ask(ends[1], 'shut');
      for (let turn = 0; turn < 20; turn++) await together(ends, 'push 20000', 'pull 20000');
      expect(await ask<Done>(ends[0], 'eof')).toMatchObject({ result: 0 });
      await together(ends, 'push 500000', 'pull 500000');
      await ask(ends[0], 'close');
      expect(await ask<Done>(ends[1], 'eof')).toMatchObject({ result: 0, wrong: 0 });
    }
  });

  // Pages that come where a group is full would have the kernel kill one of its processes.
  it('where the control group of one of them has no memory left for the first of it', async (ctx) => {
    requireRoot(ctx);
    requireCgroup(ctx, 'memory', 'memory.limit_in_bytes');
    await withCgroup('memory', async (group) => {
      const ends = await talking.pair({}, group.prefix);
      await limitTo(group, 64 << 10, ends);
      await talking.bench.running();
      expect(await refused(ends, 0)).toBe(NO_MEMORY);
      await together(ends, 'push 2000000', 'pull 2000000');
      for (const end of ends) expect(await state(end)).toMatchObject({ ringSent: 0, ringReceived: 0 });
      await talking.remove();
    });
  });

  it('where a group fills up while a ring gets its pages: what is sent goes by the kernel from there on', async (ctx) => {
    requireRoot(ctx);
    requireCgroup(ctx, 'memory', 'memory.limit_in_bytes');
    await withCgroup('memory', async (group) => {
      const ends = await talking.pair({}, group.prefix);
      await limitTo(group, 1 << 20, ends);
      await policed('limit ring=4M\n');
      await upgraded(ends);
      for (let turn = 0; turn < 10; turn++) {
        await together(ends, 'push 3000000', 'pull 3000000');
        await together(ends, 'pull 3000000', 'push 3000000');
      }
      expect((await state(ends[0])).reason).toBe(NO_MEMORY);
      await talking.remove();
    });
  });
});

/** What the group uses once the program has touched its stack and buffers, and so many bytes more. */
async function limitTo(group: TestGroup, more: number, ends: [Victim, Victim]): Promise<void> {
  await together(ends, 'push 3000000', 'pull 3000000');
  await together(ends, 'pull 3000000', 'push 3000000');
  await group.write('memory.limit_in_bytes', Number(await group.read('memory.usage_in_bytes')) + more);
}
