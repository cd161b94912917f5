import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { matches } from '../../../src/filter/matches.js';
import { parseFilter } from '../../../src/filter/parse.js';
import { select } from '../../../src/filter/select.js';
import type { ConnectionRow } from '../../../src/model/views/connections.js';
import type { ConnectionSort } from '../../../src/model/views/request.js';
import { type ConnectionsRequest, ConnectionTable } from '../../../src/probes/connections.js';
import { requireTool, withNetns } from '../../support/live.js';

const root = process.geteuid?.() === 0;

/** Both ends of two hundred connections, listeners, other states; and what moved within a window. */
describe.skipIf(!root)('of one reading', () => {
  const table = new ConnectionTable();
  let all: ConnectionRow[] = [];
  let end = () => {};
  let over: Promise<unknown> = Promise.resolve();

  beforeAll(async () => {
    await new Promise<void>((ready, failed) => {
      over = withNetns(async (ns) => {
        await ns.start('sockets.py');
        await ns.start('many_sockets.c', 2, 50);
        const sink = await ns.start('sink.py', '127.0.0.1', 0);
        const sender = await ns.start('sender.py', '127.0.0.1', sink.ready.port, 0);
        const request: ConnectionsRequest = {
          netns: [{ path: `/run/netns/${ns.name}`, label: ns.name }],
          selfPids: [],
          selection: {},
        };
        await table.read(request);
        await sender.ask('send 100000', 'sent');
        all = (await table.read(request)).connections;
        ready();
        await new Promise<void>((done) => {
          end = done;
        });
      });
      over.catch(failed);
    });
  });
  afterAll(async () => {
    end();
    await over;
  });

  test.each([
    '',
    'state:established',
    'state:close-wait,listen',
    'many',
    'peer:many_sockets',
    '!peer:python3',
    'rate>1k',
    'tx>0',
    'rx:0',
    'retransrate:0',
    'recvq>0',
    'sent>=5 received:0',
    'rtt>1us rtt<1s',
    'local',
    '!local',
    'addr:127.0.0.0/8 port>1024',
    'laddr:::/0',
    'raddr!=127.0.0.1',
    'lport<40000',
    'limit:application',
    'idle<1h',
    'age>0s',
    'cwnd>=10 cc:*',
    'fd:5,6,7 uid:0',
    'drops:0 transport:kernel',
    'minrtt>0us delivery>1',
    'netns:sd-*',
    'container:x',
  ])('"%s" chooses the rows that the evaluation elsewhere chooses', async (text) => {
    const filter = parseFilter(text);
    const { connections, totals } = await table.select({ filter });
    const wanted = all.filter((row) => matches(filter, row)).map(({ cookie }) => cookie);
    expect(connections.map(({ cookie }) => cookie).toSorted()).toEqual(wanted.toSorted());
    expect(totals).toMatchObject({ sockets: all.length, matching: wanted.length });
  });

  const sum = (a?: number, b?: number) => (a === undefined && b === undefined ? undefined : (a ?? 0) + (b ?? 0));
  const VALUES: Record<ConnectionSort, (row: ConnectionRow) => number | undefined> = {
    rate: ({ rates }) => sum(rates?.sendBps, rates?.receiveBps),
    tx: ({ rates }) => rates?.sendBps,
    rx: ({ rates }) => rates?.receiveBps,
    rtt: ({ rttUs }) => rttUs,
    retrans: ({ retransmits }) => retransmits,
    retransrate: ({ rates }) => rates?.retransmitsPerS,
    bytes: ({ bytesSent, bytesReceived }) => sum(bytesSent, bytesReceived),
    queue: ({ state, recvQueueBytes, sendQueueBytes }) => recvQueueBytes + (state === 'listen' ? 0 : sendQueueBytes),
    drops: ({ drops }) => drops,
    age: ({ ageMs }) => ageMs,
    pid: ({ pid }) => pid,
    port: ({ local }) => Number(local.split(':').at(-1)),
  };

  test.each(Object.keys(VALUES) as ConnectionSort[])('sorted by %s, and the first of it', async (sort) => {
    expect(all.length).toBeGreaterThan(200);
    for (const reverse of [false, true]) {
      const sorted = all
        .map((row) => ({ cookie: row.cookie, ends: row.state === 'time-wait', value: VALUES[sort](row) }))
        .toSorted(
          (a, b) =>
            Number(a.value === undefined) - Number(b.value === undefined) ||
            ((b.value ?? 0) - (a.value ?? 0)) * (reverse ? -1 : 1) ||
            Number(a.ends) - Number(b.ends) ||
            Number(BigInt(`0x${a.cookie}`) - BigInt(`0x${b.cookie}`)),
        )
        .map(({ cookie }) => cookie);
      for (const limit of [1, 10, 150, 100_000]) {
        const { connections } = await table.select({ sort, reverse, limit });
        expect(connections.map(({ cookie }) => cookie)).toEqual(sorted.slice(0, limit));
        const replayed = select(all, { sort, reverse, filter: [], limit, keep: [] });
        expect(replayed.rows.map(({ cookie }) => cookie)).toEqual(sorted.slice(0, limit));
      }
    }
  });

  test('kept rows are there whatever the filter and the limit', async () => {
    const kept = all.slice(-3).map(({ cookie }) => cookie);
    const { connections } = await table.select({ filter: parseFilter('state:listen'), limit: 1, keep: kept });
    expect(connections).toHaveLength(kept.length + 1);
    expect(
      connections
        .slice(1)
        .map(({ cookie }) => cookie)
        .toSorted(),
    ).toEqual(kept.toSorted());
  });

  test('what is not known is refused', async () => {
    const filter = [{ field: 'nonsense', operator: '=', values: [1] }] as never;
    await expect(async () => table.select({ filter })).rejects.toThrow('no such field of a filter: nonsense');
    await expect(async () => table.select({ sort: 'size' as never })).rejects.toThrow('no such order');
  });
});

test('what moved in the window is said per second', async (ctx) => {
  if (!root) ctx.skip('needs root: makes network namespaces');
  requireTool(ctx, 'ip');
  await withNetns(async (ns) => {
    const sink = await ns.start('sink.py', '127.0.0.1', 0);
    const sender = await ns.start('sender.py', '127.0.0.1', sink.ready.port, 0);
    const table = new ConnectionTable();
    const request: ConnectionsRequest = {
      netns: [{ path: `/run/netns/${ns.name}` }],
      selfPids: [],
      processes: true,
      selection: { filter: parseFilter('state:established') },
    };
    await table.read(request);
    await sender.ask('send 2345', 'sent');
    const later = await ns.start('sender.py', '127.0.0.1', sink.ready.port, 0);
    const { connections, windowMs, totals, processes } = await table.read(request);
    const bits = (2345 * 8 * 1000) / windowMs;
    const row = connections.find(({ local }) => local === sender.ready.local);
    expect(row?.rates?.sendBps).toBeCloseTo(bits, 2);
    expect(row?.rates).toMatchObject({ receiveBps: 0, retransmitsPerS: 0, dataSegmentsInPerS: 0 });
    expect(row).not.toHaveProperty('ageMs');
    const newcomer = connections.find(({ local }) => local === later.ready.local);
    expect(newcomer?.ageMs).toBeLessThanOrEqual(windowMs);
    expect(totals?.sendBps).toBeCloseTo(bits, 2);
    const of = (pid: number) => processes?.find(({ process }) => process.pid === pid);
    expect(of(sender.pid)?.traffic.sendBps).toBeCloseTo(bits, 2);
    expect(of(sink.pid)).toMatchObject({ traffic: { sendBps: 0 }, process: { tcp: { listen: 1, established: 2 } } });
  });
});
