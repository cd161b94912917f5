import { execFileSync } from 'node:child_process';
import { stripVTControlCharacters } from 'node:util';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { BIN, workFolder } from '../../support/cli.js';
import { type Netns, poll, requireRoot, requireTool, withNetns } from '../../support/live.js';
import { expectValid } from '../../support/schemas.js';
import { tuneIn } from '../../support/tune.js';

const STAMPS = 'net.ipv4.tcp_timestamps';
const SACK = 'net.ipv4.tcp_sack';
const SCALING = 'net.ipv4.tcp_window_scaling';

/** A namespace in which two findings ask for two settings, and a folder for the journal. */
async function withTrouble(body: (ns: Netns, state: string) => Promise<void>): Promise<void> {
  const folder = workFolder();
  await withNetns(async (ns) => {
    for (const key of [STAMPS, SACK]) await ns.sysctl(key, 0);
    await body(ns, folder.path);
  }).finally(folder.remove);
}

const values = async (ns: Netns) => [await ns.sysctl(STAMPS), await ns.sysctl(SACK)];

async function newest(ns: Netns, state: string) {
  const { document } = await tuneIn(ns, state, 'history');
  return (document as unknown as { entries: { id: string; state: string }[] }).entries[0];
}

const nofileOf = (pid: number) =>
  execFileSync('prlimit', ['--pid', String(pid), '--nofile', '--raw', '--noheadings', '-o', 'SOFT,HARD'], {
    encoding: 'utf8',
  })
    .trim()
    .replace(' ', ':');

test('--limits raises the limit of a listener, which is else only shown, and gives it back', {
  timeout: 180_000,
}, async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'prlimit');
  const folder = workFolder();
  await withNetns(async (ns) => {
    const { pid } = await ns.start('listener.py', '127.0.0.1', 0, 64);
    execFileSync('prlimit', ['--pid', String(pid), '--nofile=1024:8192']);
    const key = `limit:${pid}:nofile`;
    const tune = (...args: string[]) =>
      tuneIn(ns, folder.path, '--profile', 'connections', '--only', key, '--window', '200', ...args);

    const shown = await tune('--yes');
    expect(shown.document).toMatchObject({ applied: [], id: null });
    expect(shown.document.skipped.find((one) => one.key === key)?.reason).toContain('only with --limits');
    expect(nofileOf(pid)).toBe('1024:8192');

    const { code, document } = await tune('--yes', '--limits');
    expect([code, document.applied]).toEqual([0, [{ key, from: '1024:8192', to: '8192:8192' }]]);
    await expectValid('tune', document);
    expect(nofileOf(pid)).toBe('8192:8192');
    expect((await tuneIn(ns, folder.path, 'verify')).code).toBe(0);
    expect((await tuneIn(ns, folder.path, 'revert')).code).toBe(0);
    expect(nofileOf(pid)).toBe('1024:8192');
  }).finally(folder.remove);
});

test('--confirm-within takes it back when nobody confirms, and keeps it when somebody does', {
  timeout: 180_000,
}, async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip');
  await withTrouble(async (ns, state) => {
    const tune = (seconds: string) => tuneIn(ns, state, '--yes', '--window', '100', '--confirm-within', seconds);
    const first = await tune('5');
    expect(first.document).toMatchObject({ applied: [{ to: '1' }, { to: '1' }], confirmBefore: expect.any(String) });
    await poll('it is taken back', async () => (await values(ns)).join() === '0,0');
    await poll('and that is written down', async () => (await newest(ns, state))?.state === 'reverted');

    const { document } = await tune('600');
    await ns.sysctl(SCALING, 0);
    const again = await tune('600');
    expect([again.code, again.document.error?.message]).toEqual([4, expect.stringContaining('waits to be confirmed')]);
    const confirmed = await tuneIn(ns, state, 'confirm');
    expect([confirmed.code, confirmed.document.id]).toEqual([0, document.id]);
    expect([await values(ns), (await newest(ns, state))?.state]).toEqual([['1', '1'], 'applied']);
    expect((await tuneIn(ns, state, 'revert')).code).toBe(0);
    expect(await values(ns)).toEqual(['0', '0']);
  });
});

/** The command on a terminal of its own, whose every write of the journal takes a while; answered by yes. */
function onTerminal(ns: Netns, state: string, args: string) {
  // util-linux's script(1) hands on what is written to it and hangs up when it is killed.
  const slow = 'strace -f --seccomp-bpf -qq -o /dev/null -e trace=fdatasync -e inject=fdatasync:delay_enter=400000';
  const command = `${slow} ip netns exec ${ns.name} ${process.execPath} ${BIN} tune --window 100 ${args}`;
  // As with a login, the hang-up ends a shell, which takes what runs in it along.
  const terminal = execa('script', ['-qec', `${command}; exit $?`, '/dev/null'], {
    reject: false,
    env: { SOCKDOC_STATE_DIR: state, HOME: '/nonexistent' },
  });
  const screen = { text: '' };
  terminal.stdout.on('data', (chunk) => {
    const before = screen.text.includes('[y/N]');
    screen.text += String(chunk);
    if (!before && screen.text.includes('[y/N]')) terminal.stdin.write('y\n');
  });
  return { terminal, screen };
}

const oneIsWritten = (ns: Netns) => poll('one of them is written', async () => (await values(ns)).includes('1'));

test('Ctrl-C in the middle of the writing takes back what was written, and says so', {
  timeout: 180_000,
}, async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'script', 'strace');
  await withTrouble(async (ns, state) => {
    const { terminal, screen } = onTerminal(ns, state, '');
    await oneIsWritten(ns);
    terminal.stdin.write('\u0003');
    await poll('the terminal has shown it', () => screen.text.includes('^C'));
    terminal.stdin.write('\u0003'); // somebody in a hurry
    const { exitCode } = await terminal;
    expect(stripVTControlCharacters(screen.text)).toMatch(/Stopped: stopped by SIGINT\s+Taken back: net\.ipv4\.tcp_/);
    expect(exitCode).toBe(130);
    expect([await values(ns), (await newest(ns, state))?.state]).toEqual([['0', '0'], 'undone']);
  });
});

test.for([
  ['in the middle of the writing it is taken back at once', '', 'undone'],
  ['with --confirm-within too', '--confirm-within 600', 'undone'],
] as const)('when the session is cut off, %s', { timeout: 180_000 }, async ([, args, ends], ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'script', 'strace');
  await withTrouble(async (ns, state) => {
    const { terminal } = onTerminal(ns, state, args);
    await oneIsWritten(ns);
    terminal.kill('SIGKILL');
    await poll('it is taken back', async () => (await values(ns)).join() === '0,0');
    await poll('and that is written down', async () => (await newest(ns, state))?.state === ends);
  });
});

test('when the session is cut off after the writing, --confirm-within takes it back in time', {
  timeout: 180_000,
}, async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'script', 'strace');
  await withTrouble(async (ns, state) => {
    const { terminal } = onTerminal(ns, state, '--confirm-within 5');
    await poll('it waits to be confirmed', async () => (await newest(ns, state))?.state === 'unconfirmed');
    terminal.kill('SIGKILL');
    expect(await values(ns)).toEqual(['1', '1']);
    await poll('it is taken back', async () => (await values(ns)).join() === '0,0');
    await poll('and that is written down', async () => (await newest(ns, state))?.state === 'reverted');
  });
});
