import { expect, test } from 'vitest';
import { type SsRow, ss, ssNumber } from '../../../support/independent.js';
import { evidence, type Netns, poll, requireRoot, requireTool, type Victim, withNetns } from '../../../support/live.js';
import { HERE, wire } from '../../../support/wire.js';

interface Setup {
  /** Third value of tcp_rmem at the receiver and of tcp_wmem at the sender. */
  receive?: number;
  send?: number;
  /** SO_RCVBUF of the receiver. */
  pinned?: number;
}

interface Transfer {
  ns: Netns;
  peer: Netns;
  server: Victim;
  client: Victim;
  row: SsRow | undefined;
}

/** A transfer over a path of 100 ms, from the peer to us, once it has reached its speed. */
const transfer = ({ receive = 4 << 20, send = 8 << 20, pinned }: Setup, body: (transfer: Transfer) => Promise<void>) =>
  withNetns(async (ns) => {
    const peer = await ns.peer();
    await wire(ns, peer, 50);
    await ns.sysctl('net.ipv4.tcp_rmem', `4096 131072 ${receive}`);
    await peer.sysctl('net.ipv4.tcp_wmem', `4096 16384 ${send}`);
    await peer.sysctl('net.ipv4.tcp_congestion_control', 'reno');
    const option = pinned === undefined ? [] : [`rcvbuf=${pinned}`];
    const server = await ns.start('listener.py', HERE, 0, 16, 'serve', ...option);
    const client = await peer.start('sender.py', HERE, server.ready.port, 65_536);
    await poll('a megabyte has arrived', async () => {
      const [row] = await ss(ns, '-tmi', 'state', 'established');
      return row && (ssNumber(row, 'bytes_received') ?? 0) > 1_000_000;
    });
    const [row] = await ss(ns, '-tmi', 'state', 'established');
    return await body({ ns, peer, server, client, row });
  });

const CHECKS = ['--only', 'window-limited', '--only', 'pinned-buffers', '--window', '1500'];

/** The finding that is awaited: on a busy machine the wire itself is at times what limits. */
const found = (ns: Netns, id: string, status: string) =>
  poll(`${id} says ${status}`, async () => {
    const checked = await ns.check(CHECKS);
    return checked.of(id)[0]?.status === status ? checked : undefined;
  });

test('a receive buffer at a small cap limits: a warning at the receiver, info at the sender', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'ss', 'cc');
  await transfer({ receive: 131_072 }, async ({ ns, peer, server, client, row }) => {
    const receiver = await found(ns, 'window-limited', 'warn');
    const connection = `${client.ready.remote} -> ${client.ready.local}`;
    expect(receiver.of('window-limited')).toMatchObject([
      {
        subject: { pid: server.pid, connection, key: 'net.ipv4.tcp_rmem' },
        remedy: { commands: [expect.stringMatching(/^sysctl -w "net.ipv4.tcp_rmem=4096 131072 \d+"$/)] },
      },
    ]);
    const [result] = receiver.of('window-limited');
    expect(evidence(result, 'receive-buffer')).toBe(ssNumber(row as never, 'rb'));
    expect(evidence(result, 'minimum RTT')).toBeGreaterThanOrEqual(100_000);
    expect(receiver.of('pinned-buffers')).toMatchObject([{ status: 'pass' }]);
    const sender = await found(peer, 'window-limited', 'info');
    expect(sender.of('window-limited')).toMatchObject([{ subject: { pid: client.pid } }]);
  });
});

test('a receive buffer that the program fixed limits: pinned, and no sysctl is blamed', async (ctx) => {
  requireRoot(ctx);
  await transfer({ pinned: 65_536 }, async ({ ns, server, row }) => {
    const receiver = await found(ns, 'pinned-buffers', 'warn');
    expect(receiver.of('pinned-buffers')).toMatchObject([{ subject: { pid: server.pid } }]);
    expect(evidence(receiver.of('pinned-buffers')[0], 'receive-buffer')).toBe(ssNumber(row as never, 'rb'));
    expect(receiver.of('window-limited')).toMatchObject([{ status: 'pass' }]);
  });
});

test('a send buffer at a small cap limits: a warning at the sender alone', async (ctx) => {
  requireRoot(ctx);
  await transfer({ send: 131_072 }, async ({ ns, peer, client }) => {
    const sender = await found(peer, 'window-limited', 'warn');
    expect(sender.of('window-limited')).toMatchObject([{ subject: { pid: client.pid, key: 'net.ipv4.tcp_wmem' } }]);
    expect(evidence(sender.of('window-limited')[0], 'send-buffer')).toBe(131_072);
    expect((await ns.check(CHECKS)).of('window-limited')).toMatchObject([{ status: 'pass' }]);
  });
});

test('a small buffer that nobody needs to be larger is no finding', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    await wire(ns, peer, 50);
    await ns.sysctl('net.ipv4.tcp_rmem', '4096 131072 131072');
    await peer.sysctl('net.ipv4.tcp_wmem', '4096 16384 131072');
    const server = await ns.start('listener.py', HERE, 0, 16, 'serve');
    await peer.start('sender.py', HERE, server.ready.port, 2000, 'paced');
    for (const end of [ns, peer])
      expect((await end.check(CHECKS)).document.results).toMatchObject([{ status: 'pass' }, { status: 'pass' }]);
  });
});

test('a reader that takes its time is not a window that is too small', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    await wire(ns, peer, 50);
    await ns.sysctl('net.ipv4.tcp_rmem', '4096 131072 131072');
    const server = await ns.start('listener.py', HERE, 0, 16, 'accept');
    await peer.start('sender.py', HERE, server.ready.port, 65_536);
    await poll('the receive queue is full', async () => {
      const [row] = await ss(peer, '-ti', 'state', 'established');
      return row && row.send > 0 && (ssNumber(row, 'rwnd_limited') ?? 0) > 0;
    });
    for (const end of [ns, peer]) expect(await end.only('window-limited')).toMatchObject([{ status: 'pass' }]);
  });
});
