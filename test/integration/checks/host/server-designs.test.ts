import { readdir, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { type Netns, poll, requireRoot, requireTool, type Victim, withNetns } from '../../../support/live.js';

const CONNECTIONS = 6;

/** A server of one design with clients, once it has taken them all. */
async function served(ns: Netns, kind: string, workers?: number): Promise<Victim> {
  const server = await ns.start('server_kinds.py', kind, ...(workers ? [workers] : []));
  await ns.start('connector.py', '127.0.0.1', server.ready.port, CONNECTIONS);
  await poll(`${kind} holds its connections`, async () => (await holders(ns, server.ready.port)).length >= CONNECTIONS);
  return server;
}

/** Pids that hold connections of a port, one entry per connection, as ss says. */
async function holders(ns: Netns, port: number): Promise<number[]> {
  const text = await ns.run('ss', '-Htnp', 'state', 'established', 'sport', '=', `:${port}`);
  return [...text.matchAll(/pid=(\d+)/g)].map((match) => Number(match[1]));
}

test('a process or a thread per connection is recognised, an event loop and pre-forked ones are not', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ss');
  await withNetns(async (ns) => {
    const forks = await served(ns, 'fork');
    const threads = await served(ns, 'thread');
    const healthy = [
      await served(ns, 'loop'),
      await served(ns, 'prefork-exclusive', 8),
      await served(ns, 'reuseport', 8),
    ];
    const { of } = await ns.check(['--only', 'process-per-connection', '--window', '0']);
    const about = (server: Victim) =>
      of('process-per-connection').filter((result) => result.subject?.listener === `127.0.0.1:${server.ready.port}`);

    const children = await holders(ns, forks.ready.port);
    expect(new Set(children).size).toBe(CONNECTIONS);
    const [forked, ...others] = about(forks);
    expect(others).toEqual([]);
    expect(forked).toMatchObject({ status: 'info', subject: { pid: forks.pid } });
    expect(forked?.evidence[0]?.value).toBe(CONNECTIONS);
    for (const pid of children.toSorted((a, b) => a - b).slice(0, 1)) expect(forked?.summary).toContain(String(pid));

    const [threaded] = about(threads);
    expect(threaded).toMatchObject({ status: 'info', subject: { pid: threads.pid } });
    expect(threaded?.summary).toContain(`a thread for each connection: ${CONNECTIONS} threads`);
    expect(await readdir(`/proc/${threads.pid}/task`)).toHaveLength(CONNECTIONS + 1);

    for (const server of healthy) expect(about(server)).toEqual([]);
  });
});

test('event loops that share a listener without EPOLLEXCLUSIVE are a herd; with it, or with SO_REUSEPORT, they are not', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ss');
  await withNetns(async (ns) => {
    const herd = await ns.start('server_kinds.py', 'prefork', 5);
    const healthy = [
      await ns.start('server_kinds.py', 'prefork-exclusive', 5),
      await ns.start('server_kinds.py', 'reuseport', 5),
      await ns.start('server_kinds.py', 'prefork', 3),
    ];
    const about = async (server: Victim) => {
      const { of } = await ns.check(['--only', 'accept-strategy', '--window', '0']);
      return of('accept-strategy').filter((result) => result.subject?.listener === `127.0.0.1:${server.ready.port}`);
    };
    const [result] = await poll('all workers watch', async () => {
      const found = await about(herd);
      return found[0]?.summary.startsWith('5 epoll sets') ? found : undefined;
    });
    expect(result).toMatchObject({ status: 'info', subject: { pid: herd.pid } });
    // Each worker that it names has the listener in its epoll set, without the bit 28 of EPOLLEXCLUSIVE.
    const sources = result?.evidence.filter((e) => e.source.includes('/fdinfo/')) ?? [];
    expect(sources).toHaveLength(5);
    for (const { source } of sources) {
      const events = /events:\s*([0-9a-f]+)/.exec(await readFile(source, 'utf8'))?.[1] ?? '';
      expect(Number.parseInt(events, 16) & (1 << 28)).toBe(0);
    }
    for (const server of healthy) expect(await about(server)).toEqual([]);
  });
});
