import { describe, expect, onTestFinished, type TestContext, test } from 'vitest';
import type { EndedConnections, ShortLived } from '../../../src/model/views/short-lived.js';
import { ConnectionEvents, shortLivedOf } from '../../../src/probes/connection-events.js';
import { type EventsRequest, SocketProbe } from '../../../src/probes/native.js';
import { nstat } from '../../support/independent.js';
import { type Netns, poll, requireRoot, requireTool, withNetns } from '../../support/live.js';

const MANY = 20_000;

const pathOf = (ns: Netns) => `/run/netns/${ns.name}`;

/** A server and a client of its own process; `go` opens and closes that many connections and says how many failed. */
async function churn(ns: Netns, first: string, address = '127.0.0.1') {
  const server = await ns.start('churn.c', 'serve', address, first);
  const client = await ns.start('churn.c', 'connect', address, server.ready.port, first);
  const go = async (count: number) => Number((await client.ask(`go ${count}`, 'done')).slice('done '.length));
  return { server, client, port: server.ready.port as number, go };
}

async function owners(...all: Netns[]) {
  const answer = await new SocketProbe().read({ netns: all.map(pathOf), selfPids: [process.pid], rows: false });
  return answer.netns.map(({ id = '', sockets }) => ({ id, listeners: sockets?.listeners ?? [] }));
}

/** All that ended, over as many readings as it took: the kernel tells of the last ones a moment after their close(). */
async function collect(events: ConnectionEvents, all: Netns[], enough: (total: Total) => boolean) {
  const who = await owners(...all);
  const total = new Total();
  return poll('the events have come', async () => {
    total.add(shortLivedOf(await events.read(), who));
    return enough(total) && total;
  });
}

class Total {
  ended = 0;
  unattributed = 0;
  lost = false;
  failed = 0;
  rows: EndedConnections[] = [];

  add(view: ShortLived | undefined) {
    this.ended += view?.ended ?? 0;
    this.unattributed += view?.unattributed ?? 0;
    this.failed += view?.failed ?? 0;
    this.lost ||= view?.lost ?? false;
    this.rows.push(...(view?.by ?? []));
  }

  of(row: Partial<EndedConnections>, key: 'count' | 'bytesSent' | 'bytesReceived' = 'count') {
    return this.rows
      .filter((each) => Object.entries(row).every(([name, value]) => each[name as keyof EndedConnections] === value))
      .reduce((sum, each) => sum + (each[key] ?? 0), 0);
  }
}

const WAYS = [
  { way: 'tracepoint', request: {} },
  { way: 'destroy-events', request: { destroyEventsOnly: true } },
] as const;

async function started(ctx: { skip(reason: string): unknown }, request: EventsRequest, ...all: Netns[]) {
  const events = new ConnectionEvents();
  onTestFinished(() => events.stop());
  const { gaps } = await events.start(all.map(pathOf), request);
  if (gaps[0]) ctx.skip(`${gaps[0].what}: ${gaps[0].reason}`);
  return events;
}

describe.each(WAYS)('by $way', ({ way, request }) => {
  test('of 20,000 connections within one interval at least 99 % are counted, on both ends', async (ctx) => {
    requireRoot(ctx);
    requireTool(ctx, 'ip', 'cc', 'nstat');
    await withNetns(async (ns) => {
      const { server, client, port, go } = await churn(ns, 'client');
      const events = await started(ctx, request, ns);
      expect(await go(MANY)).toBe(0);
      await client.stop(); // it is gone before the reading
      const total = await collect(events, [ns], ({ ended }) => ended >= 2 * MANY * 0.99);
      const kernel = await nstat(ns);
      expect([kernel.TcpActiveOpens, kernel.TcpPassiveOpens]).toEqual([MANY, MANY]);
      expect(total.ended).toBeLessThanOrEqual(2 * MANY);
      expect(total.lost).toBe(false);
      const accepted = total.of({ side: 'accepting', port, pid: server.pid, comm: 'churn' });
      expect(accepted).toBeGreaterThanOrEqual(MANY * 0.99);
      const pid = way === 'tracepoint' ? { pid: client.pid, comm: 'churn' } : {};
      expect(total.of({ side: 'connecting', port, ...pid })).toBeGreaterThanOrEqual(MANY * 0.99);
      expect(total.unattributed).toBe(way === 'tracepoint' ? total.ended - accepted - total.of({ ...pid }) : MANY);
    });
  });

  for (const first of ['client', 'server', 'reset', 'data']) {
    for (const address of ['127.0.0.1', '::1']) {
      test(`each socket is counted once (${first}, ${address})`, async (ctx) => {
        requireRoot(ctx);
        requireTool(ctx, 'ip', 'cc');
        await withNetns((ns) => eachOnce(ctx, ns, { way, request, first, address }));
      });
    }
  }

  test('attempts that fail, listeners, and sockets that were never connected are no connections', async (ctx) => {
    requireRoot(ctx);
    requireTool(ctx, 'ip', 'python3', 'nstat');
    await withNetns(async (ns) => {
      const events = await started(ctx, request, ns);
      await ns.run('python3', '-c', NO_CONNECTIONS);
      const total = await collect(events, [ns], ({ ended }) => ended >= 4);
      // The one connection, and the one that the listener never accepted: both ends of each.
      expect(total.ended).toBe(4);
      if (way === 'tracepoint') expect(total.failed).toBe((await nstat(ns)).TcpAttemptFails);
    });
  });

  test('several namespaces at once, each with its own listeners', async (ctx) => {
    requireRoot(ctx);
    requireTool(ctx, 'ip', 'cc');
    await withNetns(async (one) => {
      await withNetns(async (other) => {
        const here = await churn(one, 'client');
        const there = await churn(other, 'server');
        const events = await started(ctx, request, one, other);
        await Promise.all([here.go(300), there.go(200)]);
        const total = await collect(events, [one, other], ({ ended }) => ended >= 1000);
        expect(total.ended).toBe(1000);
        expect(total.of({ side: 'accepting', pid: here.server.pid, port: here.port })).toBe(300);
        expect(total.of({ side: 'accepting', pid: there.server.pid, port: there.port })).toBe(200);
      });
    });
  });
});

/** A refused and an unanswered attempt, a bound socket, an unused one, a connection, and one that is never accepted. */
const NO_CONNECTIONS = `
import socket
socket.socket().close()
bound = socket.socket(); bound.bind(("127.0.0.1", 0)); bound.close()
for _ in range(3):
    refused = socket.socket()
    assert refused.connect_ex(("127.0.0.1", 1)) != 0
    refused.close()
listener = socket.socket(); listener.bind(("127.0.0.1", 0)); listener.listen()
first = socket.create_connection(listener.getsockname()); accepted = listener.accept()[0]
second = socket.create_connection(listener.getsockname())
listener.close(); first.close(); accepted.close(); second.close()
`;

const COUNT = 500;

async function eachOnce(
  ctx: TestContext,
  ns: Netns,
  { way, request, first, address }: { way: string; request: EventsRequest; first: string; address: string },
) {
  const { server, client, port, go } = await churn(ns, first, address);
  const events = await started(ctx, request, ns);
  expect(await go(COUNT)).toBe(0);
  const total = await collect(events, [ns], ({ ended }) => ended >= 2 * COUNT);
  total.add(shortLivedOf(await events.read(), [])); // no more come
  expect(total.ended).toBe(2 * COUNT);
  expect(total.of({ side: 'accepting', port, pid: server.pid })).toBe(COUNT);
  const bytes = first === 'data' ? COUNT : 0;
  if (way === 'tracepoint') {
    const connecting = { side: 'connecting', port, pid: client.pid } as const;
    expect(total.of(connecting)).toBe(COUNT);
    expect(total.of(connecting, 'bytesSent')).toBe(1000 * bytes);
    expect(total.of(connecting, 'bytesReceived')).toBe(500 * bytes);
    expect(total.of({ side: 'accepting' }, 'bytesReceived')).toBe(1000 * bytes);
    expect(total.unattributed).toBe(0);
  } else if (first !== 'reset') {
    // After a reset by SO_LINGER 0 the events have neither the remote port nor the bytes.
    expect(total.of({ side: 'connecting', port })).toBe(COUNT);
    expect(total.of({ side: 'connecting' }, 'bytesSent')).toBe(1000 * bytes);
    expect(total.of({ side: 'accepting' }, 'bytesSent')).toBe(500 * bytes);
  }
}
