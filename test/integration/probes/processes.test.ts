import { execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { SocketProbe } from '../../../src/probes/native.js';
import { poll, requireRoot, requireTool, withNetns } from '../../support/live.js';

const native = new URL('../../../dist/probes/native.js', import.meta.url).href;

describe('the processes of the socket probe', () => {
  test('a process and its threads as procfs has them', async (ctx) => {
    requireRoot(ctx);
    requireTool(ctx, 'ip');
    await withNetns(async (ns) => {
      const program = await ns.start('epolling.py');
      const { pid } = program;
      const answer = await poll('it waits in epoll_wait', async () => {
        const read = await new SocketProbe().read({ netns: [`/run/netns/${ns.name}`], selfPids: [] });
        return read.host.threads.some((t) => t.pid === pid && t.call?.name.startsWith('epoll_')) ? read : undefined;
      });
      const process = answer.host.processes.find((p) => p.pid === pid);
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      const limits = readFileSync(`/proc/${pid}/limits`, 'utf8');
      const files = /Max open files\s+(\d+)\s+(\d+)/.exec(limits);
      const descriptors = readdirSync(`/proc/${pid}/fd`).map(Number);
      const sockets = descriptors.filter((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('socket:'));
      expect(process).toMatchObject({
        ppid: Number(stat[1]),
        startTicks: Number(stat[19]),
        netns: ns.id,
        threads: 1,
        children: 1,
        commandLine: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim(),
        tcp: { listen: 2 },
        udp: 0,
        unix: 0,
      });
      expect(process?.descriptors).toEqual({
        open: descriptors.length,
        sockets: sockets.length, // its standard input and output are sockets too, of another namespace
        highest: Math.max(...descriptors),
        softLimit: Number(files?.[1]),
        hardLimit: Number(files?.[2]),
        socketsInheritable: 1,
      });
      expect(process?.epollSets).toEqual([
        {
          fd: program.ready.epoll,
          watches: 2,
          listeners: expect.arrayContaining([
            { inode: program.ready.first, exclusive: false },
            { inode: program.ready.second, exclusive: true },
          ]),
        },
      ]);
      expect(answer.host.epollWatches?.['0']).toBeGreaterThanOrEqual(2);
      const thread = answer.host.threads.find((t) => t.pid === pid);
      expect(thread).toMatchObject({ tid: pid, state: 'S', call: { arg0: program.ready.epoll } });
      expect(thread?.runMs).toBeGreaterThan(0);
      expect(process?.runDelayMs).toBe(thread?.runDelayMs);
      const listener = answer.netns[0]?.sockets?.listeners.find((l) => l.inode === program.ready.first);
      expect(listener?.owners.map((o) => o.pid).toSorted()).toEqual([pid, program.ready.child].toSorted());
    });
  });

  test('embryonic connections are counted at their listener', async (ctx) => {
    requireRoot(ctx);
    requireTool(ctx, 'ip', 'nft');
    await withNetns(async (ns) => {
      const listener = await ns.start('listener.py', '127.0.0.1', 0, 16);
      await ns.run('nft', 'add table inet t; add chain inet t in { type filter hook input priority 0; }');
      await ns.run('nft', 'add rule inet t in tcp flags & (syn | ack) == syn | ack drop'); // the client never sees a SYN-ACK
      const clients = spawn('ip', ['netns', 'exec', ns.name, 'python3', '-c', CONNECT, `${listener.ready.port}`]);
      try {
        await poll('three handshakes are stuck', async () => {
          const answer = await new SocketProbe().read({ netns: [`/run/netns/${ns.name}`], selfPids: [] });
          const sockets = answer.netns[0]?.sockets;
          return (
            sockets?.listeners[0]?.synReceived === 3 && sockets.tcp['syn-sent'] === 3 && sockets.tcp['syn-recv'] === 3
          );
        });
      } finally {
        clients.kill('SIGKILL');
      }
    });
  });

  test('threads in select() of a process with many descriptors are seen between readings', async (ctx) => {
    requireRoot(ctx);
    requireTool(ctx, 'ip');
    await withNetns(async (ns) => {
      const program = await ns.start('selecting.py', 1500);
      const request = { netns: [`/run/netns/${ns.name}`], selfPids: [], sampleSelect: true };
      const probe = new SocketProbe();
      expect((await probe.read(request)).observed.selects).toBeUndefined();
      const seen = await poll('a sample', async () =>
        (await probe.read(request)).observed.selects?.find((s) => s.pid === program.pid),
      );
      expect(seen).toMatchObject({ tid: program.pid, nfds: program.ready.nfds });
      probe.close();
    });
  });

  test('a sampling probe does not keep Node from ending', (ctx) => {
    requireRoot(ctx);
    for (const end of ['', 'process.exit(0);']) {
      const script = `
        const { SocketProbe } = await import(${JSON.stringify(native)});
        const { openSync } = await import('node:fs');
        for (let fd = 0; fd < 1100; fd = openSync('/dev/null'));
        const probe = new SocketProbe();
        const answer = await probe.read({ netns: [''], selfPids: [], sampleSelect: true });
        console.log(answer.host.processes.length >= 0 && 'read');
        ${end}`;
      const out = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
        encoding: 'utf8',
        timeout: 30_000,
      });
      expect(out).toBe('read\n');
    }
  });
});

const CONNECT = `
import socket, sys, time
made = []
for _ in range(3):
    s = socket.socket(); s.setblocking(False); s.connect_ex(("127.0.0.1", int(sys.argv[1]))); made.append(s)
time.sleep(600)
`;
