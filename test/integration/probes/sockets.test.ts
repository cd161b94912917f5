import { describe, expect, test } from 'vitest';
import type { Connection, SocketDigest } from '../../../src/model/snapshot/index.js';
import { SocketProbe, type SocketsAnswer } from '../../../src/probes/native.js';
import { type Netns, poll, requireRoot, requireTool, withNetns } from '../../support/live.js';
import { parseSs, type SsRow } from '../../support/ss.js';

const path = (ns: Netns) => `/run/netns/${ns.name}`;

function digest(answer: SocketsAnswer): SocketDigest {
  const sockets = answer.netns[0]?.sockets;
  if (!sockets) throw new Error(`no sockets: ${JSON.stringify(answer.gaps)}`);
  return sockets;
}

async function ss(ns: Netns, ...flags: string[]): Promise<SsRow[]> {
  return parseSs(await ns.run('ss', '-H', '-n', '-a', '-e', '-p', '-m', ...flags));
}

const microseconds = (milliseconds: string | undefined) => Math.round(Number(milliseconds) * 1000);

/** What ss prints of a connection, in our fields; what it leaves out at zero is zero. */
function expectSame(ours: Connection, theirs: SsRow) {
  const { info } = theirs;
  const [rtt, rttVar] = (info.rtt ?? '').split('/');
  expect(ours).toMatchObject({
    local: theirs.local,
    remote: theirs.remote,
    state: theirs.state,
    inode: theirs.inode,
    recvQueueBytes: theirs.recvQueue,
    sendQueueBytes: theirs.sendQueue,
    rttUs: microseconds(rtt),
    rttVarUs: microseconds(rttVar),
    minRttUs: microseconds(info.minrtt),
    rtoUs: Number(info.rto) * 1000,
    cwndSegments: Number(info.cwnd),
    mssBytes: Number(info.mss),
    pmtuBytes: Number(info.pmtu),
    receiveSpaceBytes: Number(info.rcv_space),
    sendWindowBytes: Number(info.snd_wnd),
    bytesSent: Number(info.bytes_sent ?? 0),
    bytesAcked: Number(info.bytes_acked ?? 0),
    bytesReceived: Number(info.bytes_received ?? 0),
    segmentsOut: Number(info.segs_out ?? 0),
    segmentsIn: Number(info.segs_in ?? 0),
    unackedSegments: Number(info.unacked ?? 0),
    notSentBytes: Number(info.notsent ?? 0),
  });
  expect(Object.values(ours.memory ?? {})).toEqual(theirs.skmem);
  if (theirs.owners[0]) expect(ours).toMatchObject(theirs.owners[0]);
  else expect(ours.pid).toBeUndefined();
}

describe('the socket probe says what ss says', () => {
  test('of TCP connections, in all states', async (ctx) => {
    requireRoot(ctx);
    requireTool(ctx, 'ip', 'ss');
    await withNetns(async (ns) => {
      const program = await ns.start('sockets.py');
      const probe = new SocketProbe();
      // Nothing moves any more, but an acknowledgement may still be on its way when the program says that it is ready.
      await poll('both readings agree', async () => {
        const before = await ss(ns, '-t', '-i');
        const answer = await probe.read({ netns: [path(ns)], pids: [program.pid], selfPids: [] });
        const after = await ss(ns, '-t', '-i');
        const still = (rows: SsRow[]) => rows.map((r) => [r.cookie, r.recvQueue, r.sendQueue, r.info.segs_in]);
        if (JSON.stringify(still(before)) !== JSON.stringify(still(after))) return false;
        const { connections, tcp, tcpTotal } = digest(answer);
        const states = new Map<string, number>();
        for (const row of after) states.set(row.state, (states.get(row.state) ?? 0) + 1);
        expect(tcp).toEqual(Object.fromEntries(states));
        expect(tcpTotal).toBe(after.length);
        for (const state of ['established', 'close-wait', 'fin-wait-2', 'time-wait', 'listen']) {
          expect(states.get(state), state).toBeGreaterThan(0);
        }
        const asked = after.filter((r) => r.owners.length > 0 && r.state !== 'listen');
        const rows = connections.filter((c) => c.picked.includes('asked'));
        expect(rows.map((c) => c.cookie).toSorted()).toEqual(asked.map((r) => r.cookie).toSorted());
        for (const row of asked) expectSame(rows.find((c) => c.cookie === row.cookie) as Connection, row);
        return true;
      });
      probe.close();
    });
  });

  test('of listeners: queue, backlog, owner, what they serve', async (ctx) => {
    requireRoot(ctx);
    requireTool(ctx, 'ip', 'ss');
    await withNetns(async (ns) => {
      const program = await ns.start('sockets.py');
      const { listeners, localPairs, ports } = digest(
        await new SocketProbe().read({ netns: [path(ns)], selfPids: [] }),
      );
      const theirs = await ss(ns, '-t', '-l');
      expect(listeners.map((l) => l.cookie).toSorted()).toEqual(theirs.map((r) => r.cookie).toSorted());
      for (const row of theirs) {
        expect(listeners.find((l) => l.cookie === row.cookie)).toMatchObject({
          local: row.local,
          queue: row.recvQueue,
          backlog: row.sendQueue,
          inode: row.inode,
          drops: row.skmem.at(-1),
          owners: row.owners.map(({ pid, comm, fd }) => ({ pid, comm, fd })),
        });
      }
      const by = (port: number) => listeners.find((l) => l.port === port);
      expect(by(program.ready.queued)).toMatchObject({ queue: 2, backlog: 6, connections: 2, servingCount: 0 });
      expect(by(program.ready.served)).toMatchObject({ queue: 0, connections: 2, servingCount: 1 });
      expect(by(program.ready.dual)).toMatchObject({
        connections: 2,
        serving: [{ pid: program.pid, connections: 2 }],
      });
      expect(ports.find((p) => p.destinationPort === program.ready.served)).toMatchObject({
        source: '127.0.0.1',
        inUse: 2, // the one that was closed first waits in FIN-WAIT-2 for its peer
        pid: program.pid,
      });
      expect(localPairs.find((p) => p.server.port === program.ready.dual)).toMatchObject({
        client: { pid: program.pid },
        server: { pid: program.pid },
        connections: 2,
      });
    });
  });

  test('of UDP and UNIX sockets', async (ctx) => {
    requireRoot(ctx);
    requireTool(ctx, 'ip', 'ss');
    await withNetns(async (ns) => {
      const program = await ns.start('sockets.py');
      const { udp, unix, udpTotal } = digest(await new SocketProbe().read({ netns: [path(ns)], selfPids: [] }));
      const theirs = await ss(ns, '-u');
      expect(udpTotal).toBe(theirs.length);
      for (const row of theirs) {
        const ours = udp.find((u) => u.cookie === row.cookie);
        expect(ours).toMatchObject({ local: row.local, recvQueueBytes: row.recvQueue, ...row.owners[0] });
        expect(Object.values(ours?.memory ?? {})).toEqual(row.skmem);
      }
      const text = await ns.run('ss', '-H', '-x', '-l', '-p');
      const [line = ''] = text.split('\n').filter((l) => l.includes(`@${program.ready.unix}`));
      const [, , queue, backlog, path_, inode] = line.split(/\s+/);
      expect(unix.find((u) => u.path === path_)).toMatchObject({
        type: 'stream',
        listening: true,
        queue: Number(queue),
        backlog: Number(backlog),
        inode: Number(inode),
        pid: program.pid,
      });
      expect(Number(queue)).toBe(1);
    });
  });

  test('of a window: what moved between two readings', async (ctx) => {
    requireRoot(ctx);
    requireTool(ctx, 'ip', 'ss');
    await withNetns(async (ns) => {
      const program = await ns.start('sockets.py');
      const probe = new SocketProbe();
      const first = digest(await probe.read({ netns: [path(ns)], selfPids: [], rows: false }));
      expect(first.connections).toEqual([]);
      await program.ask('send', 'sent');
      await poll('the bytes have come', async () =>
        (await ss(ns, '-t')).some((row) => row.state === 'established' && row.recvQueue === 7345),
      );
      const second = digest(await probe.read({ netns: [path(ns)], selfPids: [] }));
      const client = second.connections.find((c) => c.local.endsWith(`:${program.ready.client}`));
      expect(client?.window).toMatchObject({ bytesSent: 2345, bytesReceived: 0, dataSegmentsOut: 1, retransmits: 0 });
      expect(client?.window?.opened).toBeUndefined();
      const dropped = second.udp.find((u) => u.local.endsWith(`:${program.ready.udp}`));
      const theirs = (await ss(ns, '-u')).find((row) => row.cookie === dropped?.cookie);
      expect(dropped?.windowDrops).toBeGreaterThan(0);
      expect(dropped?.windowDrops).toBe(theirs?.skmem.at(-1));
      expect(second.udp[0]).toBe(dropped);
      expect(second.pickedCounts.traffic).toBe(2);
    });
  });

  test('without root: what can be seen is there, what cannot is said', async (ctx) => {
    requireRoot(ctx);
    requireTool(ctx, 'ip', 'setpriv');
    await withNetns(async (ns) => {
      await ns.start('sockets.py');
      const script = `
        const { SocketProbe } = await import(${JSON.stringify(new URL('../../../dist/probes/native.js', import.meta.url).href)});
        const probe = new SocketProbe();
        console.log(JSON.stringify(await probe.read({ netns: [''], selfPids: [] })));`;
      const user = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
      const text = await ns.run(
        user[0] as string,
        ...user.slice(1),
        process.execPath,
        '--input-type=module',
        '-e',
        script,
      );
      const answer = JSON.parse(text) as SocketsAnswer;
      expect(digest(answer).listeners).toHaveLength(3);
      expect(digest(answer).listeners.every((l) => l.ownerCount === 0)).toBe(true);
      const gap = answer.gaps.find((g) => g.what === "descriptors of other users' processes");
      expect(gap?.needs).toContain('CAP_SYS_PTRACE');
    });
  });
});
