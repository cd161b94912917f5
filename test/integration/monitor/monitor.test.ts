import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sockdoc } from '../../support/cli.js';
import { poll, requireRoot } from '../../support/live.js';
import { type Client, connected, MonitorBench, paired } from '../../support/monitor.js';
import { expectValid } from '../../support/schemas.js';

let bench: MonitorBench;

beforeEach(() => {
  bench = new MonitorBench();
});

afterEach(() => bench.remove());

async function status() {
  const { stdout } = await sockdoc(['monitor', 'status', '--json', '--socket', bench.socket]);
  return JSON.parse(stdout);
}

const slabsMappedBy = ({ pid }: Client) =>
  readFileSync(`/proc/${pid}/maps`, 'utf8')
    .split('\n')
    .filter((line) => line.includes('memfd:sockdoc-slab')).length;

const descriptorsOf = (pid: number) =>
  readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return ''; // that of the listing itself
    }
  });

test('two processes get one slab with opposite ends and exchange bytes through it', async () => {
  const monitor = await bench.running();
  const [a, b] = [await bench.client(), await bench.client()];
  const ends = await connected(a, b);
  expect(await a.answer(`pair ${ends.from}`)).toMatchObject({ outcome: 'waiting', memory: 0 });
  const second = await b.answer(`pair ${ends.to}`);
  const first = await a.answer('next');
  expect(first).toMatchObject({ outcome: 'shared', slab: second.slab, slot: second.slot, memory: 1 });
  expect(first.generation).toBe(second.generation);
  expect([first.end, second.end].sort()).toEqual([0, 1]);
  expect(await a.ask(`put ${ends.from} hello`)).toBe('put 5 ring');
  expect(await b.ask(`get ${ends.to}`)).toBe('got hello');
  expect(await b.ask(`put ${ends.to} and-back`)).toBe('put 8 ring');
  expect(await a.ask(`get ${ends.from}`)).toBe('got and-back');
  expect(await a.number('notice')).toBe(3);

  const document = await status();
  await expectValid('monitor', document);
  expect(document).toMatchObject({
    running: true,
    usable: true,
    pid: monitor.pid,
    connections: { kernel: 0, shm: 1, rdma: 0 },
    denied: 0,
  });
  expect(
    document.clients.map(({ pid, connections }: { pid: number; connections: number }) => [pid, connections]),
  ).toEqual([a.pid, b.pid].sort((x, y) => x - y).map((pid) => [pid, 1]));
  expect(document.memoryBytes).toBeGreaterThan(0);
  // Never a socket of theirs: it would keep the connection alive after its process died.
  expect(descriptorsOf(monitor.pid).filter((link) => link.startsWith('socket:')).length).toBeLessThanOrEqual(5);
});

test('lies are refused with the reason, and share nothing', async () => {
  await bench.running();
  const [a, b] = [await bench.client(), await bench.client()];
  const ends = await connected(a, b);
  await b.answer(`pair ${ends.to}`);
  const reasons: Record<string, RegExp> = {
    cookie: /another cookie/,
    inode: /not the socket that was named/,
    closed: /not the socket that was named/,
    file: /not the socket that was named/,
    port: /knows no such connection/,
  };
  for (const [lie, reason] of Object.entries(reasons)) {
    const answer = await a.answer(`pair ${ends.from} ${lie}`);
    expect(answer, lie).toMatchObject({ outcome: 'kernel', memory: 0 });
    expect(answer.reason, lie).toMatch(reason);
  }
  expect(slabsMappedBy(a) + slabsMappedBy(b)).toBe(0);
  const liar = await bench.client({ silent: true });
  expect(await liar.ask('hello start')).toMatch(/^refused .*not the one it says it is/);
  expect(await liar.ask('hello version')).toMatch(/^refused .*different versions/);
  expect(await liar.ask('hello memory')).toMatch(/^refused .*different layouts/);
  expect(await liar.ask('hello')).toMatch(/^welcome /);
  expect(await liar.ask('raw 00000000000000000000000000000000')).toBe('closed');
  await liar.ask('hello');
  expect(await liar.ask('pass')).toMatch(/^(not-passed|closed)$/);
  // The others were served all along.
  expect(await a.answer(`pair ${ends.from}`)).toMatchObject({ outcome: 'shared' });
});

test('an errand beside the link of a process is no client, and is forgotten when it ends', async () => {
  await bench.running();
  const [a, b] = [await bench.client(), await bench.client()];
  const [ends, others] = [await connected(a, b), await connected(a, b)];
  const [mine] = await paired(a, b, ends);
  const connections = async () =>
    new Map((await status()).clients.map((one: { pid: number; connections: number }) => [one.pid, one.connections]));
  const alone = new Map([a, b].map(({ pid }) => [pid, 1]));
  expect(await a.answer(`errand ${ends.from}`)).toMatchObject({ outcome: 'shared', slab: mine.slab, memory: 1 });
  expect(await connections()).toEqual(alone);
  expect(await a.ask('errand-ends')).toBe('ended ok');
  expect(await a.answer(`errand ${others.from}`)).toMatchObject({ outcome: 'kernel', memory: 0 });
  expect(await b.answer(`pair ${others.to}`)).toMatchObject({ outcome: 'waiting' });
  expect(await a.ask('errand-ends')).toBe('ended ok');
  // By the link that the process has had all along.
  expect(await a.answer(`pair ${others.from}`)).toMatchObject({ outcome: 'shared' });
});

test('a child must come on a connection of its own, and then has what its parent has', async () => {
  await bench.running();
  const [a, b] = [await bench.client(), await bench.client()];
  const ends = await connected(a, b);
  const [mine] = await paired(a, b, ends);
  const child = await a.ask(`fork ${ends.from} own`);
  expect(JSON.parse(child.replace(/^child answer /, ''))).toMatchObject({
    outcome: 'shared',
    slab: mine.slab,
    slot: mine.slot,
    memory: 1,
  });
  expect(await a.ask(`fork ${ends.from}`)).toMatch(/another process than the one that registered/);
});

test('users share nothing unless the policy says so', async (ctx) => {
  requireRoot(ctx);
  await bench.running();
  const [root, nobody] = [await bench.client(), await bench.client({ silent: true })];
  expect(await nobody.ask('become 65534')).toBe('became ok');
  await nobody.ask('hello');
  const ends = await connected(root, nobody);
  const answers = await paired(root, nobody, ends);
  for (const answer of answers) {
    expect(answer).toMatchObject({ outcome: 'kernel', memory: 0 });
    expect(answer.reason).toMatch(/different users/);
  }
  expect(slabsMappedBy(root) + slabsMappedBy(nobody)).toBe(0);
  const before = await status();
  expect(before).toMatchObject({ denied: 1, connections: { kernel: 1, shm: 0 } });
  expect(before.kept).toHaveLength(2);

  const policy = bench.policy('policy');
  writeFileSync(policy, 'allow uid=0 with uid=65534\n');
  const allowing = new MonitorBench();
  try {
    await allowing.running(['--policy', policy]);
    const [x, y] = [await allowing.client(), await allowing.client({ silent: true })];
    await y.ask('become 65534');
    await y.ask('hello');
    const [one, other] = await paired(x, y, await connected(x, y));
    expect([one.outcome, other.outcome]).toEqual(['shared', 'shared']);
    // The policy changes its mind: SIGHUP, and both are told to go back.
    writeFileSync(policy, 'deny any\n');
    const { stdout } = await sockdoc(['monitor', 'status', '--json', '--socket', allowing.socket]);
    process.kill(JSON.parse(stdout).pid, 'SIGHUP');
    for (const client of [x, y]) expect(await client.ask('next')).toMatch(/^withdrawn .*policy denies/);
  } finally {
    await allowing.remove();
  }
});

test('equal tuples in two network namespaces are paired within each', async (ctx) => {
  requireRoot(ctx);
  await bench.running();
  const names = [`sd-mon-${process.pid}-a`, `sd-mon-${process.pid}-b`];
  try {
    const sides: { from: Client; to: Client; ends: { from: number; to: number } }[] = [];
    for (const name of names) {
      await execa('ip', ['netns', 'add', name]);
      await execa('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
      const prefix = ['ip', 'netns', 'exec', name];
      const [from, to] = [await bench.client({ prefix }), await bench.client({ prefix })];
      await to.ask('listen 127.0.0.1 5000');
      const descriptor = await from.number('connect 5000 127.0.0.1 6000');
      sides.push({ from, to, ends: { from: descriptor, to: await to.number('accept') } });
    }
    const [one, two] = sides as [(typeof sides)[0], (typeof sides)[0]];
    expect(await one.from.answer(`pair ${one.ends.from}`)).toMatchObject({ outcome: 'waiting' });
    expect(await two.to.answer(`pair ${two.ends.to}`)).toMatchObject({ outcome: 'waiting' });
    const first = await one.to.answer(`pair ${one.ends.to}`);
    const second = await two.from.answer(`pair ${two.ends.from}`);
    expect(first.slab).not.toBe(second.slab);
    expect(await one.from.answer('next')).toMatchObject({ outcome: 'shared', slab: first.slab });
    expect(await two.to.answer('next')).toMatchObject({ outcome: 'shared', slab: second.slab });
  } finally {
    for (const name of names) await execa('ip', ['netns', 'delete', name], { reject: false });
  }
});

test('killed and started again, it has the same books, and nothing stands in its way', async () => {
  const former = await bench.running();
  const [a, b] = [await bench.client(), await bench.client()];
  const ends = await connected(a, b);
  const [mine] = await paired(a, b, ends);
  expect(await former.end('SIGKILL')).toBeNull();
  // The connection carries on without a monitor.
  expect(await a.ask(`put ${ends.from} alone`)).toBe('put 5 ring');
  expect(await b.ask(`get ${ends.to}`)).toBe('got alone');
  const monitor = await bench.running();
  for (const client of [a, b]) expect(await client.ask('hello')).toBe(`welcome ${monitor.pid}`);
  expect(await a.answer(`restore ${ends.from}`)).toMatchObject({ outcome: 'waiting' });
  expect(await b.answer(`restore ${ends.to}`)).toMatchObject({ outcome: 'shared', slab: mine.slab, memory: 0 });
  expect(await a.answer('next')).toMatchObject({ outcome: 'shared', generation: mine.generation, memory: 0 });
  expect(await status()).toMatchObject({ connections: { kernel: 0, shm: 1 } });
  // A new connection of the two gets a new slab: who has not come back may use any slot of the old one.
  const [fresh] = await paired(a, b, await connected(a, b));
  expect(fresh.slab).not.toBe(mine.slab);
  expect(await monitor.end('SIGTERM')).toBe(0);
  expect(readdirSync(bench.folder).filter((name) => name.startsWith('monitor.sock'))).toEqual([]);
});

test('a process that dies is forgotten with its slabs, and the other is told', async () => {
  const monitor = await bench.running();
  const idle = descriptorsOf(monitor.pid).length;
  const [a, b] = [await bench.client(), await bench.client()];
  const [mine] = await paired(a, b, await connected(a, b));
  await b.kill();
  expect(await a.ask('next')).toBe(`peer-gone ${mine.slab}`);
  expect(await status()).toMatchObject({ slabs: 0, connections: { shm: 0 } });
  await a.kill();
  await poll('both are forgotten', async () => (await status()).clients.length === 0);
  await poll('its descriptors are closed', () => descriptorsOf(monitor.pid).length === idle);
  expect(readdirSync(`/proc/${monitor.pid}/task`)).toHaveLength(1);
});

test('idle, it uses no CPU', async () => {
  const monitor = await bench.running();
  const a = await bench.client();
  await a.ask('notice');
  const ticks = () => readFileSync(`/proc/${monitor.pid}/stat`, 'utf8').split(') ')[1]?.split(' ').slice(11, 13).join();
  const switches = () =>
    /voluntary_ctxt_switches:\s+(\d+)/.exec(readFileSync(`/proc/${monitor.pid}/status`, 'utf8'))?.[1];
  const before = [ticks(), switches()];
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect([ticks(), switches()]).toEqual(before);
});

test('a flooding client is put aside, and others are served', async () => {
  const policy = bench.policy('policy');
  writeFileSync(policy, 'limit requests=50 connections=3\n');
  await bench.running(['--policy', policy]);
  const [a, b, wild] = [await bench.client(), await bench.client(), await bench.client()];
  const ends = await connected(wild, b);
  const sent = await wild.number(`flood ${ends.from} 100000`);
  expect(sent).toBeLessThan(100_000); // its socket was full: nobody read on
  const answers = await paired(a, b, await connected(a, b));
  for (const answer of answers) expect(answer.outcome).toBe('shared');
  await a.answer(`pair ${(await connected(a, b)).from}`);
  await a.answer(`pair ${(await connected(a, b)).from}`);
  expect((await a.answer(`pair ${(await connected(a, b)).from}`)).reason).toMatch(/as many connections as it may/);
});
