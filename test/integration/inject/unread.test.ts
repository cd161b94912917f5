import { afterEach, describe, expect, it } from 'vitest';
import { monitorStatus } from '../../../src/services/monitor/status.js';
import { injectAll } from '../../support/inject.js';
import { hasLibsd } from '../../support/libsd.js';
import { poll } from '../../support/poll.js';
import { ask, type Done, Talking, together } from '../../support/talking.js';
import { startProgram, type Victim } from '../../support/victim.js';

const fine = { result: 0, wrong: 0 };
const detached = { state: 'detached' };

// Neither program reads meanwhile, nor makes any other call on its socket.
describe.runIf(hasLibsd)('two processes that libsd came into, and bytes that lie unread between them', () => {
  let talking: Talking | undefined;
  const programs: Victim[] = [];
  afterEach(async () => {
    for (const program of programs.splice(0)) await program.stop();
    await talking?.remove();
    talking = undefined;
  });

  const byMemory = async (socket: string) =>
    ((await monitorStatus(socket)).ends ?? []).reduce((sum, { sentBytes = 0 }) => sum + sentBytes, 0);

  const withUnread = async (bytes: number) => {
    talking = new Talking();
    await talking.bench.running();
    const { socket } = talking.bench;
    const server = await startProgram('libsd/talk.c', ['listen']);
    programs.push(server);
    const client = await startProgram('libsd/talk.c', [server.ready]);
    programs.push(client);
    const ends: [Victim, Victim] = [server, client];
    const pids = [server.pid, client.pid];
    const attach = async () => {
      const said = await injectAll('attach', pids, ['--monitor', socket, '--after-calls', '1']);
      for (const one of said) expect(one).toMatchObject({ state: 'attached' });
      await poll('both ends are in memory', async () => {
        await together(ends, 'both 20', 'both 20');
        const { ends: known = [] } = await monitorStatus(socket);
        return known.filter(({ transport }) => transport === 'shm').length === 2;
      });
    };
    await attach();
    await poll('bytes lie in memory', async () => {
      const before = await byMemory(socket);
      expect(await ask<Done>(server, `push ${bytes}`)).toMatchObject(fine);
      if ((await byMemory(socket)) > before) return true;
      expect(await ask<Done>(client, `pull ${bytes}`)).toMatchObject(fine);
      await together(ends, 'both 20', 'both 20');
      return false;
    });
    return { server, client, ends, socket, attach };
  };

  it.each([1000, 600_000])('%i: who has not read is left, and reads them afterwards', async (bytes) => {
    const { server, client, ends, socket } = await withUnread(bytes);
    const [left] = await injectAll('detach', [client.pid]);
    expect(left).toMatchObject(detached);
    await poll('it is counted', async () => (await monitorStatus(socket)).returned === 1);
    expect(await ask<Done>(client, `pull ${bytes}`)).toMatchObject(fine);
    await together(ends, 'both 50', 'both 50');
    expect((await injectAll('detach', [server.pid]))[0]).toMatchObject(detached);
    await together(ends, 'both 50', 'both 50');
  });

  it('who has sent them is left first: the other one once it has read', async () => {
    const { server, client, ends } = await withUnread(1000);
    expect((await injectAll('detach', [server.pid]))[0]).toMatchObject(detached);
    const [kept] = await injectAll('detach', [client.pid], ['--timeout-ms', '600']);
    expect(kept).toMatchObject({ state: 'refused', code: 'timeout', keptCount: 1 });
    expect(await ask<Done>(client, 'pull 1000')).toMatchObject(fine);
    expect((await injectAll('detach', [client.pid]))[0]).toMatchObject(detached);
    await together(ends, 'both 50', 'both 50');
  });

  it('both are left, and come again', async () => {
    const { server, client, ends, attach } = await withUnread(1000);
    for (const one of await injectAll('detach', [client.pid, server.pid])) expect(one).toMatchObject(detached);
    expect(await ask<Done>(client, 'pull 1000')).toMatchObject(fine);
    await attach();
    await together(ends, 'both 50', 'both 50');
  });
});
