import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compiled, hasLibsd, outcome } from '../../support/libsd.js';
import { requireRoot, requireTool, withNetns } from '../../support/live.js';
import { poll } from '../../support/poll.js';
import { ask, type Done, state, Talking, together, upgraded } from '../../support/talking.js';
import type { Victim } from '../../support/victim.js';
import { nftRule } from '../checks/net/support.js';

// Two processes with libsd, which was told of a monitor, and real bytes that say where they stand in the stream.
describe.runIf(hasLibsd)('connections between two programs go over to shared memory', () => {
  let talking: Talking;
  beforeEach(() => {
    talking = new Talking();
  });
  afterEach(() => talking.remove());

  it('without a lost byte, in pieces of all sizes', async () => {
    await talking.bench.running();
    const ends = await talking.pair();
    await upgraded(ends);
    for (const mode of ['blocking', 'nonblock']) {
      if (mode === 'nonblock') await together(ends, 'nonblock', 'nonblock');
      await together(ends, 'push 4000000', 'pull 4000000');
      await together(ends, 'pull 4000000', 'push 4000000');
      await together(ends, 'answer 1048576', 'say 1048576');
      await together(ends, 'both 500', 'both 500');
    }
    const [server, client] = [await state(ends[0]), await state(ends[1])];
    expect(server).toMatchObject({ mapped: true, sent: client.received, received: client.sent });
    expect(server.ringSent).toBe(client.ringReceived);
    expect(server.ringReceived).toBe(client.ringSent);
  });

  it('with sleepers on both sides where nobody spins', async () => {
    await talking.bench.running();
    const ends = await talking.pair({ SOCKDOC_SPIN_US: '0' });
    await together(ends, 'both 100', 'both 100');
    await together(ends, 'push 2000000', 'pull 2000000');
    expect((await state(ends[0])).mapped).toBe(true);
  });

  it('to its end: bytes first, then the end of the stream, each half by itself', async () => {
    await talking.bench.running();
    const ends = await talking.pair();
    await upgraded(ends);
    await ask(ends[0], 'push 1000');
    await ask(ends[0], 'shut');
    await together([ends[1], ends[1]] as [Victim, Victim], 'pull 1000', 'eof');
    expect(await ask<Done>(ends[1], 'push 500')).toMatchObject({ result: 0 });
    await ask(ends[1], 'close');
    expect(await ask<Done>(ends[0], 'pull 500')).toMatchObject({ result: 0, wrong: 0 });
    expect(await ask<Done>(ends[0], 'eof')).toMatchObject({ result: 0 });
  });

  it('and a peer that is killed is a reset where it had not read everything, else the end', async () => {
    await talking.bench.running();
    const lost = await talking.pair();
    await upgraded(lost);
    await ask(lost[0], 'push 5000');
    const { ringSent } = await state(lost[0]);
    await lost[1].stop();
    expect(await ask<Done>(lost[0], 'eof')).toMatchObject({ result: -1, errno: 'ECONNRESET' });
    expect(ringSent).toBeGreaterThan(0);
    const read = await talking.pair();
    await upgraded(read);
    await ask(read[1], 'push 3000');
    await read[1].stop();
    expect(await ask<Done>(read[0], 'pull 3000')).toMatchObject({ result: 0, wrong: 0 });
    expect(await ask<Done>(read[0], 'eof')).toMatchObject({ result: 0 });
  });

  it("and are the kernel's again, without a lost byte, in a child that goes on with them", async () => {
    await talking.bench.running();
    const ends = await talking.pair();
    await upgraded(ends);
    await ask(ends[1], 'fork');
    await together(ends, 'both 300', 'both 300');
    await together(ends, 'push 2000000', 'pull 2000000');
    await together(ends, 'pull 2000000', 'push 2000000');
    const { ringSent, ringReceived } = await state(ends[0]);
    await ask(ends[0], 'fork');
    await together(ends, 'answer 300000', 'say 300000');
    expect(ringSent).toBeGreaterThan(0);
    expect(ringReceived).toBeGreaterThan(0);
  });

  it("and are the kernel's for good where somebody else gets them", async () => {
    await talking.bench.running();
    const ends = await talking.pair();
    await upgraded(ends);
    await ask(ends[0], 'push 5000');
    await ask(ends[1], 'pass');
    await together(ends, 'both 0', 'pull 5000');
    const { ringSent, ringReceived } = await state(ends[0]);
    await together(ends, 'both 20', 'both 20');
    expect(await state(ends[0])).toMatchObject({ ringSent, ringReceived });
  });

  it('where the host drops what it sends, so that the kernel sends it again', async (ctx) => {
    requireRoot(ctx);
    requireTool(ctx, 'nft');
    await talking.bench.running();
    await withNetns(async (ns) => {
      const prefix = ['ip', 'netns', 'exec', ns.name];
      const server = await talking.program('listen', {}, prefix);
      const client = await talking.program(server.ready, {}, prefix);
      await nftRule(ns, 'output', 'meta l4proto tcp numgen inc mod 5 == 0 counter drop');
      const ends: [Victim, Victim] = [server, client];
      await together(ends, 'both 10', 'both 10');
      await upgraded(ends);
      for (let round = 0; round < 3; round++) {
        await together(ends, 'push 300000', 'pull 300000');
        await together(ends, 'answer 30000', 'say 30000');
      }
      expect(Number(/packets (\d+)/.exec(await ns.run('nft', 'list', 'ruleset'))?.[1])).toBeGreaterThan(0);
      const [one, other] = [await state(server), await state(client)];
      expect([one.sent, one.received]).toEqual([other.received, other.sent]);
    });
  });

  it('which handlers use that interrupted a call on the same connection', async () => {
    await talking.bench.running();
    expect(outcome([compiled('libsd/handlers')], talking.env())).toEqual({
      stdout: 'missing: 0\nmiscounted: 0\nwrong: 0\nby ring: yes\n',
      stderr: '',
      status: 0,
      signal: null,
    });
  });

  it('while the monitor is killed and started again', async () => {
    const first = await talking.bench.running();
    const ends = await talking.pair();
    await upgraded(ends);
    await first.end('SIGKILL');
    await together(ends, 'push 1000000', 'pull 1000000');
    await talking.bench.running();
    await together(ends, 'both 500', 'both 500');
    const more = await talking.pair();
    await upgraded(more);
    expect((await state(ends[0])).mapped).toBe(true);
  });

  it('and the memory of a peer that died while there was no monitor goes too', async () => {
    const slabs = (program: Victim) =>
      readFileSync(`/proc/${program.pid}/maps`, 'utf8').split('memfd:sockdoc-slab').length - 1;
    const first = await talking.bench.running();
    const [server, client] = await talking.pair();
    await upgraded([server, client]);
    expect(slabs(server)).toBe(1);
    await first.end('SIGKILL');
    await client.stop();
    await ask(server, 'close');
    await talking.bench.running();
    const other = await talking.program('listen');
    await ask(server, `connect ${other.ready}`);
    await upgraded([other, server]);
    await poll('the slab of before is gone', async () => {
      await together([other, server], 'both 1', 'both 1');
      return slabs(server) === 1;
    });
  });

  it('and stay on the kernel where there is no monitor', async () => {
    const ends = await talking.pair();
    await together(ends, 'both 200', 'both 200');
    await together(ends, 'push 1000000', 'pull 1000000');
    expect(await state(ends[0])).toMatchObject({ mapped: false, ringSent: 0, ringReceived: 0 });
  });
});
