import { expect, onTestFinished, test } from 'vitest';
import type { EndedConnections, ShortLived } from '../../../src/model/views/short-lived.js';
import { ConnectionEvents, shortLivedOf } from '../../../src/probes/connection-events.js';
import { SocketProbe } from '../../../src/probes/native.js';
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
  rows: EndedConnections[] = [];

  add(view: ShortLived | undefined) {
    this.ended += view?.ended ?? 0;
    this.unattributed += view?.unattributed ?? 0;
    this.lost ||= view?.lost ?? false;
    this.rows.push(...(view?.by ?? []));
  }

  of(row: Partial<EndedConnections>, key: 'count' | 'bytesSent' | 'bytesReceived' = 'count') {
    return this.rows
      .filter((each) => Object.entries(row).every(([name, value]) => each[name as keyof EndedConnections] === value))
      .reduce((sum, each) => sum + (each[key] ?? 0), 0);
  }
}

async function started(...all: Netns[]) {
  const events = new ConnectionEvents();
  onTestFinished(() => events.stop());
  expect(await events.start(all.map(pathOf))).toEqual({ gaps: [] });
  return events;
}

test('of 20,000 connections within one interval at least 99 % are counted, on both ends', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'cc', 'nstat');
  await withNetns(async (ns) => {
    const { server, port, go } = await churn(ns, 'client');
    const events = await started(ns);
    expect(await go(MANY)).toBe(0);
    const total = await collect(events, [ns], ({ ended }) => ended >= 2 * MANY * 0.99);
    const kernel = await nstat(ns);
    expect([kernel.TcpActiveOpens, kernel.TcpPassiveOpens]).toEqual([MANY, MANY]);
    expect(total.ended).toBeLessThanOrEqual(2 * MANY);
    expect(total.lost).toBe(false);
    expect(total.of({ side: 'connecting', port })).toBeGreaterThanOrEqual(MANY * 0.99);
    expect(total.of({ side: 'accepting', port, pid: server.pid, comm: 'churn' })).toBeGreaterThanOrEqual(MANY * 0.99);
  });
});
