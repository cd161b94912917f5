import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { expect, onTestFinished, test } from 'vitest';
import { ConnectionEvents } from '../../../src/probes/connection-events.js';
import { type Netns, poll, requireRoot, requireTool, withNetns } from '../../support/live.js';

const MODULE = new URL('../../../dist/probes/connection-events.js', import.meta.url);
const pathOf = (ns: Netns) => `/run/netns/${ns.name}`;

/** Connections to a listener of its own, one after the other, over loopback. */
const CONNECT = `
import socket
listener = socket.create_server(("127.0.0.1", 0))
for _ in range(50):
    connected = socket.create_connection(listener.getsockname())
    listener.accept()[0].close()
    connected.close()
`;

/** Starts the events in our own namespace, runs what stands in SOCKDOC_THEN, and prints both answers. */
const SCRIPT = `
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
const { ConnectionEvents } = await import('${MODULE}');
const events = new ConnectionEvents();
const started = await events.start(JSON.parse(process.env.SOCKDOC_NETNS));
execFileSync('/usr/bin/python3', ['-c', process.env.SOCKDOC_THEN]);
let ended = 0;
let answer = await events.read();
for (let i = 0; i < 100 && answer.netns.length > 0 && (ended += answer.netns[0].ended) < 100; i++) {
  await sleep(50);
  answer = await events.read();
}
events.stop();
console.log(JSON.stringify({ started, ended, answer }));
`;

async function startedAs(prefix: readonly string[], netns: readonly string[]) {
  const [file = '', ...args] = [...prefix, process.execPath, '--input-type=module', '-e', SCRIPT];
  const env = { SOCKDOC_NETNS: JSON.stringify(netns), SOCKDOC_THEN: CONNECT };
  return JSON.parse((await execa(file, args, { env })).stdout);
}

const NEEDS = 'CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN';
const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];

test.for([
  { who: 'root without BPF', as: ['setpriv', '--bounding-set=-sys_admin,-bpf,-perfmon'] },
  { who: 'another user', as: NOBODY },
])('$who hears the destroy events of its own namespace, and is told what they lack', async ({ as }, ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'setpriv', 'python3');
  await withNetns(async (ns) => {
    const { started, ended, answer } = await startedAs(['ip', 'netns', 'exec', ns.name, ...as], ['']);
    expect(started.gaps).toEqual([
      { probe: 'events', what: 'the processes that connect', reason: 'no permission for BPF', needs: NEEDS },
    ]);
    expect(answer.gaps).toEqual(started.gaps);
    expect(answer.source).toBe('destroy-events');
    expect(ended).toBe(100);
  });
});

test('a namespace that may not be entered is a gap, and has no numbers', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'setpriv');
  await withNetns(async (ns) => {
    const { started, answer } = await startedAs(NOBODY, [pathOf(ns)]);
    expect(started.gaps).toContainEqual(expect.objectContaining({ probe: 'events', needs: 'CAP_SYS_ADMIN' }));
    expect(answer.netns).toEqual([]);
  });
});

/** Of the threads of this process, how often they went to sleep, by thread. */
function sleeps(): Map<string, number> {
  const status = (tid: string) => readFileSync(`/proc/self/task/${tid}/status`, 'utf8');
  return new Map(
    readdirSync('/proc/self/task').map((tid) => [
      tid,
      Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(status(tid))?.[1]),
    ]),
  );
}

test('while nothing ends the thread sleeps', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const before = sleeps();
    const events = new ConnectionEvents();
    onTestFinished(() => events.stop());
    await events.start([pathOf(ns)], { destroyEventsOnly: true });
    const own = [...sleeps().keys()].filter((tid) => !before.has(tid));
    expect(own).toHaveLength(1);
    const blocked = () => readFileSync(`/proc/self/task/${own[0]}/stat`, 'utf8').split(') ')[1]?.startsWith('S');
    await poll('it sleeps', blocked);
    const then = sleeps().get(own[0] as string);
    await sleep(300); // some time in which it might have woken
    expect(sleeps().get(own[0] as string)).toBe(then);
  });
});

test('stop() leaves neither programs nor subscriptions', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const open = () =>
      readdirSync('/proc/self/fd').filter((fd) => {
        try {
          return /bpf|eventfd/.test(readlinkSync(`/proc/self/fd/${fd}`));
        } catch {
          return false;
        }
      }).length;
    const before = open();
    for (const destroyEventsOnly of [false, true]) {
      const events = new ConnectionEvents();
      await events.start([pathOf(ns)], { destroyEventsOnly });
      if (destroyEventsOnly) expect(await subscriptions(ns)).toBe(1);
      else expect(open()).toBeGreaterThan(before);
      events.stop();
      expect(open()).toBe(before);
      expect(await subscriptions(ns)).toBe(0);
      expect((await events.read()).netns).toEqual([]);
    }
  });
});

/** Sockets that listen to groups of sock_diag (protocol 4) in a namespace. */
async function subscriptions(ns: Netns): Promise<number> {
  const lines = (await ns.run('cat', '/proc/net/netlink')).split('\n').slice(1);
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, protocol, , groups]) => protocol === '4' && Number(`0x${groups}`) !== 0).length;
}

/** Of the BPF programs that a process holds. */
function programIds(pid: number): number[] {
  const ids = readdirSync(`/proc/${pid}/fdinfo`).map((fd) => {
    try {
      return /^prog_id:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'))?.[1];
    } catch {
      return undefined;
    }
  });
  return [...new Set(ids.filter((id) => id !== undefined).map(Number))];
}

test('kill -9 leaves nothing either', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'bpftool');
  await withNetns(async (ns) => {
    const script = `const { ConnectionEvents } = await import('${MODULE}');
      const all = [new ConnectionEvents(), new ConnectionEvents()];
      for (const [i, events] of all.entries()) await events.start(['${pathOf(ns)}'], { destroyEventsOnly: i === 0 });
      console.log('ready'); setInterval(() => {}, 1000);`;
    const child = execa(process.execPath, ['--input-type=module', '-e', script], { reject: false });
    onTestFinished(() => void child.kill('SIGKILL'));
    const programs = () => programIds(child.pid as number);
    await poll('both are started', async () => (await subscriptions(ns)) === 1 && programs().length === 2);
    const ids = programs();
    child.kill('SIGKILL');
    await child;
    const loaded = async () => {
      const all: { id: number }[] = JSON.parse((await execa('bpftool', ['prog', 'show', '-j'])).stdout);
      return all.filter(({ id }) => ids.includes(id)).length;
    };
    await poll('all is gone', async () => (await subscriptions(ns)) === 0 && (await loaded()) === 0);
  });
});
