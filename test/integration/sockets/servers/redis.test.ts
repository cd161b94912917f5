import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hasLibsd } from '../../../support/libsd.js';
import { requireTool } from '../../../support/live.js';
import { poll } from '../../../support/poll.js';
import { freePort } from '../../../support/ports.js';
import { byMemory, ServerBench } from '../../../support/servers.js';

const FORKED = 'more processes hold the socket than may share the memory';
const NOT_YET = 'the peer is not under libsd, or has not asked yet';

describe.runIf(hasLibsd)('redis', () => {
  let bench: ServerBench;
  let port: number;
  beforeEach(async (context) => {
    requireTool(context, 'redis-server', 'redis-benchmark', 'ss');
    bench = await ServerBench.begin();
    port = await freePort();
  });
  afterEach(() => bench?.end());

  const server = (at: number, ...more: string[]) =>
    bench.server(at, [
      'redis-server',
      ...['--port', `${at}`, '--bind', '127.0.0.1', '--save', '', '--enable-debug-command', 'yes'],
      ...more,
    ]);
  const cli = (at: number, ...words: string[]) => ['redis-cli', '-p', `${at}`, ...words];
  const ask = async (at: number, ...words: string[]) => (await bench.output(cli(at, ...words))).trim();
  const load = (...words: string[]) => ['redis-benchmark', '-p', `${port}`, '-q', ...words];
  const counted = () =>
    ask(
      port,
      'eval',
      "local s = 0 for _, k in ipairs(redis.call('keys', 'counter:*')) do s = s + redis.call('get', k) end return s",
      '0',
    );

  it('loses no command of a pipeline', async () => {
    await server(port);
    const { runs, ends } = await bench.load(
      port,
      load('-n', '50000', '-c', '10', '-P', '16', '-t', 'incr', '-r', '20'),
    );
    for (const run of runs) expect(run, run.stderr).toMatchObject({ status: 0, stderr: '' });
    expect(byMemory(ends), JSON.stringify(ends)).toBe(true);
    expect(await counted()).toBe(`${50_000 * runs.length}`);
    // redis-cli sends all it can before it reads, and counts the answers.
    const commands = Array.from({ length: 50_000 }, (_, i) => `SET key:${i} value:${i}\r\n`).join('');
    const piping = bench.start(cli(port, '--pipe'));
    piping.write(commands);
    expect(await piping.over()).toBe(0);
    expect(piping.said).toContain('errors: 0, replies: 50000');
    expect(await ask(port, 'get', 'key:49999')).toBe('value:49999');
  });

  it('hands every message to its subscribers, in order', async () => {
    await server(port);
    const listeners = [bench.start(cli(port, 'subscribe', 'news')), bench.start(cli(port, 'psubscribe', 'n*'))];
    for (const one of listeners) await one.say('', /subscribe\n(news|n\*)\n1\n/);
    const speaker = bench.start(cli(port));
    let next = 0;
    const publish = async (count: number) => {
      const from = next;
      next += count;
      const text = Array.from({ length: count }, (_, i) => `PUBLISH news message-${from + i}-end\n`).join('');
      await speaker.say(text, new RegExp(`(2\\n){${count}}`));
    };
    await bench.upgraded(port, () => publish(10));
    await publish(3000);
    for (const one of listeners) {
      await one.say('', new RegExp(`message-${next - 1}-end`));
      const heard = [...one.said.matchAll(/message-(\d+)-end/g)].map(([, number]) => Number(number));
      expect(heard).toEqual(Array.from({ length: next }, (_, i) => i));
    }
  });

  it('replicates, over a copy that a forked child makes and after it', async () => {
    const second = await freePort();
    await server(port, '--repl-diskless-sync-delay', '0', '--repl-diskless-sync', 'yes');
    await bench.output(load('-n', '20000', '-t', 'set', '-r', '5000', '-d', '100', '-P', '8'));
    await server(second, '--replicaof', '127.0.0.1', `${port}`);
    await poll('the replica has caught up', async () =>
      (await ask(second, 'info', 'replication')).includes('master_link_status:up'),
    );
    const digests = async () => {
      expect(await ask(port, 'wait', '1', '20000')).toBe('1');
      return Promise.all([port, second].map((at) => ask(at, 'debug', 'digest')));
    };
    await bench.output(load('-n', '20000', '-t', 'incr', '-r', '500', '-P', '8'));
    const [first, copy] = await digests();
    expect(copy).toBe(first);
    // A link that breaks goes on where it was, without a child.
    await ask(port, 'client', 'kill', 'type', 'replica');
    await bench.output(load('-n', '20000', '-t', 'incr', '-r', '500', '-P', '8'));
    const [later, sameAgain] = await digests();
    expect(sameAgain).toBe(later);
    expect(await ask(port, 'info', 'stats')).toContain('sync_partial_ok:1');
  });

  const written = () =>
    poll('the snapshot is written', async () =>
      (await ask(port, 'info', 'persistence')).includes('rdb_bgsave_in_progress:0'),
    );

  it('saves by a forked child under load', async () => {
    await server(port, '--dir', bench.folder, '--rdb-key-save-delay', '20');
    let saving = false;
    const command = load('-n', '100000', '-c', '10', '-P', '4', '-t', 'incr', '-r', '2000');
    const running = bench.load(port, command, { enough: () => saving });
    await poll('the load is on', async () => Number(await ask(port, 'dbsize')) > 500);
    expect(await ask(port, 'bgsave')).toBe('Background saving started');
    saving = true;
    const { runs, ends } = await running;
    for (const run of runs) expect(run, run.stderr).toMatchObject({ status: 0, stderr: '' });
    expect(await counted()).toBe(`${100_000 * runs.length}`);
    const reasons = ends.filter(({ transport }) => transport === 'kernel').map(({ reason }) => reason);
    // Their other ends, and who was looked at before he had been answered.
    for (const reason of reasons) expect([FORKED, 'the peer stays on the kernel', NOT_YET]).toContain(reason);
    await written();
    expect(await ask(port, 'info', 'persistence')).toContain('rdb_last_bgsave_status:ok');
  });

  it('has its connections on shared memory again once the child that saved has ended', async () => {
    await server(port, '--dir', bench.folder, '--rdb-key-save-delay', '2000');
    await bench.output(load('-n', '1000', '-t', 'set', '-r', '1000'));
    const talk = bench.start(cli(port));
    const ping = () => talk.say('PING\n', /PONG/);
    await bench.upgraded(port, ping);
    await talk.say('BGSAVE\n', /Background saving started/);
    await ping();
    const [during] = (await bench.ends(port)).filter(({ reason }) => reason === FORKED);
    expect(during?.transport, 'while the child lives').toBe('kernel');
    await written();
    await bench.upgraded(port, ping);
    expect((await bench.ends(port)).map(({ local }) => local)).toContain(during?.local);
  });
});
