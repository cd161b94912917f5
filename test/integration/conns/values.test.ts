import { expect, test } from 'vitest';
import type { ConnectionRow } from '../../../src/model/views/connections.js';
import { conns } from '../../support/conns.js';
import { type Netns, poll, requireRoot, requireTool, withNetns } from '../../support/live.js';
import { parseSs, type SsRow } from '../../support/ss.js';

const ss = async (ns: Netns) => parseSs(await ns.run('ss', '-H', '-n', '-a', '-t', '-i', '-e', '-p', '-m'));

/** Whether anything that ss shows has moved between two readings, but for the times that go on. */
const still = (rows: SsRow[]) =>
  JSON.stringify(rows.map((r) => [r.cookie, r.state, r.recvQueue, r.sendQueue, r.info.segs_in, r.info.segs_out]));

/** Our rows, and what ss said just before and just after: nothing moved meanwhile. */
const agreed = (ns: Netns, body: (ours: ConnectionRow[], theirs: SsRow[]) => void) =>
  poll('nothing moves while both read', async () => {
    const before = await ss(ns);
    const { connections } = await conns(ns);
    const after = await ss(ns);
    if (still(before) !== still(after)) return false;
    body(connections, after);
    return true;
  });

const microseconds = (milliseconds: string | undefined) =>
  milliseconds === undefined ? undefined : Math.round(Number(milliseconds) * 1000);
/** ss leaves out what is zero; where there is no connection, we leave it out. */
const count = (text: string | undefined) => Number(text ?? 0);

/** The scope that ss puts behind an address of a socket that is bound to a device. */
const withoutDevice = (endpoint: string) => endpoint.replace(/%[^:\]]+/, '');

function expectSame(ours: ConnectionRow | undefined, theirs: SsRow) {
  const { info } = theirs;
  const [rtt, rttVar] = (info.rtt ?? '').split('/');
  expect(ours, theirs.local).toMatchObject({
    local: withoutDevice(theirs.local),
    remote: theirs.remote.replace(/:\*$/, ':0'),
    state: theirs.state,
    inode: theirs.inode,
    uid: count(info.uid),
    recvQueueBytes: theirs.recvQueue,
    sendQueueBytes: theirs.sendQueue,
    ownerCount: theirs.owners.length,
  });
  if (theirs.owners[0]) expect(ours).toMatchObject(theirs.owners[0]);
  else expect(ours?.pid).toBeUndefined();
  if (theirs.skmem.length > 0) expect(ours?.drops).toBe(theirs.skmem.at(-1));
  // The kernel keeps only the end of some: of time-wait, and of fin-wait-2 when nobody holds it any more.
  if (theirs.state === 'listen' || info.cwnd === undefined) {
    expect(ours).not.toHaveProperty('rttUs');
    expect(ours).not.toHaveProperty('bytesSent');
    expect(ours).not.toHaveProperty('limitedBy');
    return;
  }
  expect(ours).toMatchObject({
    rttUs: microseconds(rtt),
    rttVarUs: microseconds(rttVar),
    minRttUs: microseconds(info.minrtt),
    cwndSegments: count(info.cwnd),
    mssBytes: count(info.mss),
    sendWindowBytes: count(info.snd_wnd),
    ...(info.rcv_wnd === undefined ? {} : { receiveWindowBytes: count(info.rcv_wnd) }), // not printed before ss 6.4
    bytesSent: count(info.bytes_sent),
    bytesReceived: count(info.bytes_received),
    segmentsOut: count(info.segs_out),
    segmentsIn: count(info.segs_in),
    notSentBytes: count(info.notsent),
    retransmits: count(info.retrans?.split('/')[1]),
  });
}

test('every socket is a row, with the values of ss', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'ss');
  await withNetns(async (ns) => {
    await ns.start('sockets.py');
    await agreed(ns, (ours, theirs) => {
      expect(ours.map(({ cookie }) => cookie).toSorted()).toEqual(theirs.map(({ cookie }) => cookie).toSorted());
      for (const row of theirs)
        expectSame(
          ours.find(({ cookie }) => cookie === row.cookie),
          row,
        );
      const states = new Set(ours.map(({ state }) => state));
      for (const state of ['established', 'close-wait', 'fin-wait-2', 'time-wait', 'listen'])
        expect(states).toContain(state);
      const families = ours.map(({ local }) => /^\[(::ffff:)?/.exec(local)?.[0] ?? 'v4');
      expect(new Set(families)).toEqual(new Set(['v4', '[', '[::ffff:']));
    });
  });
});

test('a connection that nobody answers, bound to a device, that retransmits', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'ss');
  await withNetns(async (ns) => {
    await ns.peer();
    await ns.run('ip', 'neigh', 'replace', '10.99.0.77', 'lladdr', '02:00:00:00:00:77', 'dev', 'veth');
    const program = await ns.start('bound_to_device.py', 'veth', '10.99.0.77', 80);
    await agreed(ns, (ours, theirs) => {
      expect(theirs.map(({ state }) => state)).toEqual(['syn-sent']);
      const [row] = ours;
      const [their] = theirs as [SsRow];
      expect(row).toMatchObject({
        state: 'syn-sent',
        interface: 'veth',
        local: withoutDevice(their.local),
        remote: '10.99.0.77:80',
        pid: program.pid,
        fd: program.ready.fd,
        inode: their.inode,
        sendQueueBytes: their.sendQueue,
        segmentsOut: Number(their.info.segs_out),
        isLocal: false,
      });
      expect(their.local).toContain('%veth');
      expect(row).not.toHaveProperty('rttUs');
      expect(row).not.toHaveProperty('idleMs');
    });
    await poll('the SYN is sent again', async () => ((await conns(ns)).connections[0]?.retransmits ?? 0) > 0);
  });
});
