import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compiled, hasLibsd } from '../../support/libsd.js';
import type { Monitor } from '../../support/monitor.js';
import { poll } from '../../support/poll.js';
import { ask, type Done, Talking } from '../../support/talking.js';
import type { Victim } from '../../support/victim.js';

const fine = { result: 0, wrong: 0 };

/** Its buffers are full. */
/** In ppoll() of one descriptor: behind bytes that a ring took, libsd waits so until more can go. */
const sleepsInSend = (program: Victim) =>
  poll('it sleeps in a call that sends', () => {
    const [number, , count] = readFileSync(`/proc/${program.pid}/syscall`, 'utf8').split(' ');
    return ['20', '44', '46'].includes(number ?? '') || (number === '271' && count === '0x1');
  });

// Two processes with libsd; what one has not read from its ring reaches a program that knows of no ring, by the kernel.
describe.runIf(hasLibsd)('unread bytes of shared memory go back into the kernel connection', () => {
  let talking: Talking;
  let monitor: Monitor;
  let plain = '';
  beforeEach(async () => {
    plain = compiled('libsd/talk', { flags: ['-static'], suffix: '.static' });
    talking = new Talking();
    monitor = await talking.bench.running();
  });
  afterEach(() => talking.remove());

  it.each([1, 5000, 900_000])(
    '%i of them for an executed program, which goes on with the conversation',
    async (bytes) => {
      const [from, to] = await talking.unread(bytes);
      expect(await ask<Done>(to, `execute ${plain}`)).toMatchObject({ result: 0 });
      expect(await ask<Done>(to, `pull ${bytes}`)).toMatchObject(fine);
      const both = await Promise.all([ask<Done>(from, 'both 50'), ask<Done>(to, 'both 50')]);
      for (const done of both) expect(done).toMatchObject(fine);
      expect(await talking.resets()).toBe(0);
      await talking.returned();
    },
  );

  it('for a process that the socket is passed to', async () => {
    const [from, to] = await talking.unread(100_000);
    expect(await ask<Done>(to, `give ${plain}`)).toMatchObject({ result: 0 });
    expect(await ask<Done>(to, 'pull 100000')).toMatchObject(fine);
    const both = await Promise.all([ask<Done>(from, 'both 50'), ask<Done>(to, 'both 50')]);
    for (const done of both) expect(done).toMatchObject(fine);
    expect(await talking.resets()).toBe(0);
  });

  it.each(['pull 8', 'await'])('while their sender waits for an answer (%s)', async (how) => {
    const [from, to] = await talking.unread(5000);
    const answered = ask<Done>(from, how);
    expect(await ask<Done>(to, `execute ${plain}`)).toMatchObject({ result: 0 });
    expect(await ask<Done>(to, 'pull 5000')).toMatchObject(fine);
    expect(await ask<Done>(to, 'push 8')).toMatchObject(fine);
    expect(await answered).toMatchObject(fine);
    if (how === 'await') expect(await ask<Done>(from, 'pull 8')).toMatchObject(fine);
    expect(await talking.resets()).toBe(0);
  });

  it.each(['as it is', 'nonblock'])('while their sender sends on and on (%s)', async (how) => {
    const [from, to] = await talking.unread(300_000);
    if (how === 'nonblock') await ask(from, how);
    const sent = ask<Done>(from, 'push 40000000');
    expect(await ask<Done>(to, `execute ${plain}`)).toMatchObject({ result: 0 });
    expect(await ask<Done>(to, 'pull 40300000')).toMatchObject(fine);
    expect(await sent).toMatchObject(fine);
    expect(await talking.resets()).toBe(0);
  });

  it('while their sender is stopped', async () => {
    const [from, to] = await talking.unread(5000);
    process.kill(from.pid, 'SIGSTOP');
    expect(await ask<Done>(to, `execute ${plain}`)).toMatchObject({ result: 0 });
    expect(await ask<Done>(to, 'pull 5000')).toMatchObject(fine);
    process.kill(from.pid, 'SIGCONT');
    const both = await Promise.all([ask<Done>(from, 'both 50'), ask<Done>(to, 'both 50')]);
    for (const done of both) expect(done).toMatchObject(fine);
    expect(await talking.resets()).toBe(0);
  });

  it('or the connection is reset, and counted: where the sender was stopped within a send', async () => {
    const [from, to] = await talking.unread(5000);
    const sent = ask<Done>(from, 'push 100000000');
    await sleepsInSend(from);
    process.kill(from.pid, 'SIGSTOP');
    expect(await ask<Done>(to, `execute ${plain}`)).toMatchObject({ result: 0 });
    expect(await ask<Done>(to, 'pull 5000')).toMatchObject({ result: -1, errno: 'ECONNRESET', wrong: 0 });
    process.kill(from.pid, 'SIGCONT');
    expect(await sent).toMatchObject({ result: -1 });
    expect(await talking.resets()).toBe(1);
  });

  it('and where the sender was killed', async () => {
    const [from, to] = await talking.unread(5000);
    await from.stop();
    expect(await ask<Done>(to, `execute ${plain}`)).toMatchObject({ result: 0 });
    expect(await ask<Done>(to, 'pull 5000')).toMatchObject({ result: -1, errno: 'ECONNRESET', wrong: 0 });
    expect(await talking.resets()).toBe(1);
  });

  it('and where there is no monitor any more', async () => {
    const [from, to] = await talking.unread(5000);
    await monitor.end('SIGKILL');
    expect(await ask<Done>(to, `execute ${plain}`)).toMatchObject({ result: 0 });
    expect(await ask<Done>(to, 'pull 5000')).toMatchObject({ result: -1, errno: 'ECONNRESET', wrong: 0 });
    expect(await ask<Done>(from, 'eof')).toMatchObject({ result: -1, errno: 'ECONNRESET' });
  });

  it('and where the monitor does not answer for a second', async () => {
    const [from, to] = await talking.unread(5000);
    process.kill(monitor.pid, 'SIGSTOP');
    expect(await ask<Done>(to, `execute ${plain}`)).toMatchObject({ result: 0 });
    process.kill(monitor.pid, 'SIGCONT');
    expect(await ask<Done>(to, 'pull 5000')).toMatchObject({ result: -1, errno: 'ECONNRESET', wrong: 0 });
    expect(await ask<Done>(from, 'eof')).toMatchObject({ result: -1, errno: 'ECONNRESET' });
    await poll('it is counted', async () => (await talking.resets()) === 1);
  });
});
