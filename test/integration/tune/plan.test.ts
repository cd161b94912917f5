import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { PROFILES } from '../../../src/model/words.js';
import { BIN, sockdoc, workFolder } from '../../support/cli.js';
import { ss } from '../../support/independent.js';
import { poll, requireRoot, requireTool, withNetns } from '../../support/live.js';
import { expectValid } from '../../support/schemas.js';
import { tuneIn } from '../../support/tune.js';

const KEY = 'net.core.somaxconn';

test('nothing is asked where there is no terminal', async () => {
  const { code, stdout, stderr } = await sockdoc(['tune'], { stdin: 'ignore' });
  expect(code).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toContain('--dry-run');
});

test.each([
  [['--dry-run', '--yes'], 'contradict'],
  [['--dry-run', '--only', 'net.core.somaxcon'], 'Did you mean: net.core.somaxconn'],
  [['--dry-run', '--netns', 'all'], 'one network namespace'],
  [['--yes', '--confirm-within', '0'], 'whole seconds'],
  [['--yes', '--plan', '/nonexistent/plan.json'], 'does not exist'],
])('%s is refused', async (args, words) => {
  const { code, stderr } = await sockdoc(['tune', ...args], { stdin: 'ignore' });
  expect(code).toBe(2);
  expect(stderr).toContain(words);
});

test("in a namespace with this kernel's defaults no profile lowers anything", async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip');
  const folder = workFolder();
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    const server = await ns.start('listener.py', '10.99.0.1', 0, 4, 'serve');
    await peer.start('sender.py', '10.99.0.1', server.ready.port, 65_536);
    for (const profile of PROFILES) {
      const { code, document } = await tuneIn(ns, folder.path, '--dry-run', '--profile', profile, '--window', '300');
      expect(code).toBe(0);
      await expectValid('tune', document);
      for (const { key, from, to, raiseOnly } of document.plan)
        if (raiseOnly)
          to.split(' ').forEach((word, at) => {
            expect(Number(word), `${profile}: ${key} ${from} → ${to}`).toBeGreaterThanOrEqual(
              Number(from.split(' ')[at]),
            );
          });
    }
  }).finally(folder.remove);
});

test('a saved plan is for this host as it was, and for nothing else', { timeout: 120_000 }, async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'ss');
  const folder = workFolder();
  const file = `${folder.path}/plan.json`;
  await withNetns(async (ns) => {
    await ns.sysctl(KEY, 8);
    const server = await ns.start('listener.py', '127.0.0.1', 0, 64);
    await ns.start('connector.py', '127.0.0.1', server.ready.port, 9);
    await poll('nine wait', async () => (await ss(ns, '-lt'))[0]?.receive === 9);
    const tune = (...args: string[]) => tuneIn(ns, folder.path, '--window', '200', ...args);

    expect((await tune('--save-plan', file)).document).toMatchObject({ applied: [], id: null });
    expect(await ns.sysctl(KEY)).toBe('8');
    const plan = JSON.parse(readFileSync(file, 'utf8'));
    await expectValid('tune-plan', plan);
    expect(plan.rows).toMatchObject([{ key: KEY, from: '8', to: '4096' }]);

    const refused = async (words: string, code = 4) => {
      const answer = await tune('--yes', '--plan', file);
      expect(answer.code).toBe(code);
      expect(answer.document.error?.message).toContain(words);
      expect(await ns.sysctl(KEY)).not.toBe('4096');
    };
    await ns.sysctl(KEY, 16);
    await refused(`${KEY} was 8 and is 16`);
    await ns.sysctl(KEY, 8);
    writeFileSync(file, JSON.stringify({ ...plan, host: { ...plan.host, bootId: 'another' } }));
    await refused('restarted');
    writeFileSync(file, JSON.stringify({ ...plan, host: { ...plan.host, netns: { id: '1', initial: false } } }));
    await refused('network namespace');
    writeFileSync(file, JSON.stringify({ ...plan, rows: [{ ...plan.rows[0], to: '4' }] }));
    await refused('', 2);
    writeFileSync(file, JSON.stringify({ ...plan, rows: [{ ...plan.rows[0], key: 'kernel.core_pattern' }] }));
    await refused('may not write', 2);

    writeFileSync(file, JSON.stringify(plan));
    const { code, document } = await tune('--yes', '--plan', file);
    expect(code).toBe(0);
    expect(document.applied).toEqual([{ key: KEY, from: '8', to: '4096' }]);
    expect(await ns.sysctl(KEY)).toBe('4096');
  }).finally(folder.remove);
});

test('--dry-run opens nothing for writing, and asks nobody over a network', { timeout: 180_000 }, async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'ss', 'strace');
  const folder = workFolder();
  const trace = `${folder.path}/trace`;
  await withNetns(async (ns) => {
    await ns.sysctl(KEY, 8);
    const server = await ns.start('listener.py', '127.0.0.1', 0, 64);
    await ns.start('connector.py', '127.0.0.1', server.ready.port, 9);
    await poll('nine wait', async () => (await ss(ns, '-lt'))[0]?.receive === 9);
    const calls =
      'trace=open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,truncate,prlimit64,connect';
    const { stdout } = await execa(
      'strace',
      [
        // A file for each thread: in one file a call that another cuts short stands without its result.
        '-ff',
        '-qq',
        '-o',
        trace,
        '-e',
        calls,
        'ip',
        'netns',
        'exec',
        ns.name,
        process.execPath,
        BIN,
        'tune',
        '--dry-run',
        '--json',
        '--window',
        '200',
      ],
      { stdin: 'ignore', env: { SOCKDOC_STATE_DIR: `${folder.path}/state`, HOME: '/nonexistent' } },
    );
    expect(JSON.parse(stdout).plan).toMatchObject([{ key: KEY }]);
    const lines = readdirSync(folder.path)
      .filter((name) => name.startsWith('trace.'))
      .flatMap((name) => readFileSync(`${folder.path}/${name}`, 'utf8').split('\n'));
    expect(lines.some((line) => line.includes('"/proc/sys/net'))).toBe(true);
    const writing = lines.filter((line) => !/= -1 E/.test(line)).filter(isWrite);
    expect(writing).toEqual([]);
    expect(lines.filter((line) => /^connect\(/.test(line) && /AF_INET/.test(line))).toEqual([]);
    expect(await ns.sysctl(KEY)).toBe('8');
  }).finally(folder.remove);
});

/** Node raises its own limit of descriptors; /dev/null is nobody's file. */
function isWrite(line: string): boolean {
  if (/^prlimit64\(/.test(line)) return !/^prlimit64\(0,/.test(line) && !/, NULL, \{/.test(line);
  if (/^open(at)?\(/.test(line))
    return /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC/.test(line) && !/"\/dev\/(null|tty)"/.test(line);
  return /^(creat|mkdir|mkdirat|rename\w*|unlink|unlinkat|truncate)\(/.test(line);
}

test.for([
  ['n', 0, 'Nothing was written'],
  ['\u0004', 0, 'Nothing was written'],
  ['\u0003', 130, 'stopped by SIGINT'],
] as const)('asked, %j writes nothing', { timeout: 120_000 }, async ([answer, code, words], ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'script');
  const folder = workFolder();
  await withNetns(async (ns) => {
    await ns.sysctl('net.ipv4.tcp_timestamps', 0);
    const command = `ip netns exec ${ns.name} ${process.execPath} ${BIN} tune --window 200`;
    const asked = execa('script', ['-qec', command, '/dev/null'], {
      reject: false,
      env: { SOCKDOC_STATE_DIR: folder.path, HOME: '/nonexistent' },
    });
    let seen = '';
    asked.stdout.on('data', (chunk) => {
      const before = seen.includes('[y/N]');
      seen += String(chunk);
      if (!before && seen.includes('[y/N]')) asked.stdin.write(answer === 'n' ? 'n\n' : answer);
    });
    const { exitCode } = await asked;
    expect(seen).toContain(words);
    expect(exitCode).toBe(code);
    expect(await ns.sysctl('net.ipv4.tcp_timestamps')).toBe('0');
  }).finally(folder.remove);
});
