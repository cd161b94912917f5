import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, symlinkSync } from 'node:fs';
import { chmod, chown, cp } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sockdoc, workFolder } from '../support/cli.js';
import { bareProgram, ending, LAUNCHER, narrowProgram, sockdocRun } from '../support/launch.js';
import { compiled, hasLibsd, LIBSD } from '../support/libsd.js';
import { poll, requireRoot } from '../support/live.js';
import { expectValid } from '../support/schemas.js';
import { TestTerminal } from '../support/tmux.js';

const NOBODY = 65534;
const folder = workFolder();
const socket = join(folder.path, 'monitor.sock');
const ours = ['--socket', socket];
const kernel = ['--transport', 'kernel', '--'];

afterAll(async () => {
  await sockdoc(['monitor', 'stop', ...ours]);
  folder.remove();
});

describe.each([false, true])('the command takes the place of sockdoc run (by node itself: %s)', (byNode) => {
  const run = (command: readonly string[], input: string | Buffer = '') =>
    sockdocRun([...kernel, ...command], { byNode, input });

  test('its exit status and its signal', () => {
    expect(run(['sh', '-c', 'exit 7'])).toMatchObject({ status: 7, stdout: '', stderr: '' });
    expect(run(['sh', '-c', 'kill -TERM $$'])).toMatchObject({ status: null, signal: 'SIGTERM' });
  });

  test('its process, parent, group and session', async () => {
    const [file, ...before] = byNode ? [process.execPath, 'bin/run.js'] : [LAUNCHER];
    const child = spawn(file as string, [...before, 'run', ...kernel, 'cat', '/proc/self/stat', '-'], {
      detached: true,
    });
    let stdout = '';
    child.stdout.on('data', (part) => {
      stdout += part;
    });
    await poll('the command runs', () => stdout.includes('\n'));
    const [state, parent, group, session] = stdout.replace(/^.*\) /, '').split(' ');
    expect([state, parent, group, session]).toEqual(['R', ...[process.pid, child.pid, child.pid].map(String)]);
    expect(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')).toBe('');
    child.kill('SIGINT');
    await poll('it has ended', () => child.signalCode === 'SIGINT');
  });

  test('its arguments and its input, byte for byte', () => {
    const printed = run(['printf', '%s|', 'a b', '--', '', '--json', 'ä']);
    expect(printed.stdout).toBe('a b|--||--json|ä|');
    const odd = ending('bash', ['-c', `"$0" "$@" printf '%s' $'\\xff\\xfe' | od -An -tx1`, LAUNCHER, 'run', ...kernel]);
    expect(odd.stdout.trim()).toBe('ff fe');
    const input = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));
    const sum = execFileSync('sha256sum', { input, encoding: 'utf8' });
    expect(run(['sha256sum'], input).stdout).toBe(sum);
  });

  test('its environment', () => {
    // A shell in between may add some of these.
    const of = (text: string) =>
      text
        .split('\n')
        .filter((line) => !/^(PWD|OLDPWD|SHLVL|_)=/.test(line))
        .sort();
    expect(of(run(['env']).stdout)).toEqual(of(ending('env', []).stdout));
  });

  test('signals are as they were, and nothing is left to wait for', () => {
    const status = run(['cat', '/proc/self/status']).stdout;
    for (const name of ['SigBlk', 'SigIgn']) expect(status).toMatch(new RegExp(`^${name}:\\t0{16}$`, 'm'));
    expect(run(['sh', '-c', 'read children </proc/$$/task/$$/children; echo "$children"']).stdout).toBe('\n');
  });

  test('the limit of descriptors, which Node raises', () => {
    const [file, ...before] = byNode ? [process.execPath, 'bin/run.js'] : [LAUNCHER];
    const script = 'ulimit -Sn 333; "$@"; exit';
    expect(
      ending('sh', ['-c', script, 'sh', file as string, ...before, 'run', ...kernel, 'sh', '-c', 'ulimit -Sn']).stdout,
    ).toBe('333\n');
  });

  test('descriptors that it inherits, and none of Node’s', () => {
    const file = openSync(folder.file('inherited', 'from the file\n'), 'r');
    const [program, ...before] = byNode ? [process.execPath, 'bin/run.js'] : [LAUNCHER];
    const content = ['sh', '-c', 'readlink /proc/$$/fd/9; cat /proc/$$/fdinfo/1; cat <&9'];
    const listing = ['ls', '/proc/self/fd'];
    const of = (command: readonly string[]) =>
      spawnSync(command[0] as string, command.slice(1), {
        stdio: ['ignore', 'pipe', 'pipe', ...Array(6).fill('ignore'), file],
        encoding: 'utf8',
        env: { PATH: process.env.PATH ?? '' },
      }).stdout.split('\n');
    const run = [program as string, ...before, 'run', ...kernel];
    const lines = of([...run, ...content]);
    const plain = of(content);
    const numbers = of([...run, ...listing]);
    const plainNumbers = of(listing);
    closeSync(file);
    expect(lines[0]).toBe(`${folder.path}/inherited`);
    expect(lines).toContain('from the file');
    // Neither blocking mode nor anything else of the standard streams is Node's.
    expect(lines.find((line) => line.startsWith('flags:'))).toBe(plain.find((line) => line.startsWith('flags:')));
    expect(numbers).toContain('9');
    // Node by itself cannot tell /dev/null of its own from one that was inherited.
    if (byNode) expect(plainNumbers).toEqual(expect.arrayContaining(numbers));
    else expect(numbers).toEqual(plainNumbers);
  });
});

test('by its launcher: ignored signals stay ignored, and /dev/null is inherited like any file', () => {
  const shell = `trap '' HUP; exec 5</dev/null "$0" "$@"`;
  const { stdout } = ending('bash', [
    '-c',
    shell,
    LAUNCHER,
    'run',
    ...kernel,
    'sh',
    '-c',
    'grep SigIgn /proc/$$/status; readlink /proc/$$/fd/5; ls /proc/$$/fd | wc -l',
  ]);
  expect(stdout.split('\n').slice(0, 2)).toEqual(['SigIgn:\t0000000000000001', '/dev/null']);
});

test('Ctrl-C and Ctrl-Z on a terminal', async () => {
  const terminal = new TestTerminal();
  try {
    terminal.run(`'${LAUNCHER}' run ${kernel.join(' ')} sh -c 'echo process $$; exec sleep 1000'`);
    const pid = await poll('it runs', () => /^process (\d+)$/m.exec(terminal.text())?.[1]);
    const state = () => readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '')[0];
    terminal.keys('C-z');
    await poll('it is stopped', () => state() === 'T');
    terminal.run('fg');
    await poll('it goes on', () => state() === 'S');
    terminal.keys('C-c');
    await poll('it has ended', () => !existsSync(`/proc/${pid}`));
    terminal.run('echo ended with $?');
    await poll('the shell says how', () => terminal.text().includes('ended with 130'));
  } finally {
    terminal.close();
  }
});

describe('what is no command', () => {
  test.each([
    [['--', 'no-such-command'], 127, /no-such-command: command not found/],
    [['--', '/etc/passwd'], 126, /Permission denied/],
    [['--', '/etc'], 126, /directory/],
    [['--transport', 'rdma', '--', 'true'], 4, /RDMA/],
    [[], 2, /a command was expected/],
    [['--'], 2, /a command was expected/],
    [['true', '--quiet'], 2, /flags of sockdoc run come first/],
    [['true', '--', 'true'], 2, /flags of sockdoc run come first/],
    [['--spin', 'soon', '--', 'true'], 2, /microseconds/],
  ] as const)('%j', async (args, code, message) => {
    expect(sockdocRun([...args])).toMatchObject({ status: code, stderr: expect.stringMatching(message), stdout: '' });
    const json = sockdocRun(['--json', ...args], { byNode: true });
    expect(json.status).toBe(code);
    await expectValid('error', JSON.parse(json.stdout));
  });

  test('a file whose interpreter is missing, and one without a first line for the kernel', async () => {
    const script = async (name: string, text: string) => {
      await chmod(folder.file(name, text), 0o755);
      return join(folder.path, name);
    };
    const missing = await script('missing', '#!/no/such/interpreter\n');
    expect(sockdocRun([...ours, '--', missing]).status).toBe(126);
    const bare = await script('bare', 'echo by the shell "$@"\n');
    expect(sockdocRun(['--quiet', ...ours, '--', bare, 'a  b']).stdout).toBe('by the shell a  b\n');
  });
});

describe.runIf(hasLibsd)('under libsd', () => {
  let status = '';
  beforeAll(() => {
    status = compiled('libsd/status');
  });

  test('the monitor is started once, is nobody’s child, and the command finds it', async () => {
    const values = [
      'sh',
      '-c',
      'echo "$LD_PRELOAD|$SOCKDOC_MONITOR|$SOCKDOC_SPIN_US"; read c </proc/$$/task/$$/children; echo "$c"',
    ];
    const first = sockdocRun([...ours, '--spin', '30', '--', ...values]);
    expect(first).toMatchObject({ status: 0, stderr: '', stdout: `${LIBSD}|${socket}|30\n\n` });
    const { stdout } = await sockdoc(['monitor', 'status', '--json', ...ours]);
    const { pid } = JSON.parse(stdout);
    expect(readFileSync(`/proc/${pid}/cwd/etc/passwd`, 'utf8')).toContain('root');
    const again = sockdocRun([...ours, '--', ...values], { env: { LD_PRELOAD: '/nonexistent/other.so' } });
    expect(again.stdout.split('\n')[0]).toBe(`/nonexistent/other.so:${LIBSD}|${socket}|`);
    expect(JSON.parse((await sockdoc(['monitor', 'status', '--json', ...ours])).stdout).pid).toBe(pid);
    expect(JSON.parse(sockdocRun([...ours, '--transport', 'shm', '--', status]).stdout)).toMatchObject({
      loaded: true,
    });
  });

  test('one of many that start at the same time starts it', async () => {
    const other = join(folder.path, 'crowd.sock');
    const runs = Array.from({ length: 6 }, async () => {
      const child = spawn(LAUNCHER, ['run', '--transport', 'shm', '--socket', other, '--', 'true']);
      return new Promise((resolve) => child.on('exit', resolve));
    });
    expect(await Promise.all(runs)).toEqual([0, 0, 0, 0, 0, 0]);
    await sockdoc(['monitor', 'stop', '--socket', other]);
  });

  test('a run within a run loads it once', () => {
    const inner = [LAUNCHER, 'run', ...ours, '--', 'sh', '-c', 'echo $LD_PRELOAD'];
    expect(sockdocRun([...ours, '--', ...inner])).toMatchObject({ stderr: '', stdout: `${LIBSD}\n` });
    const plain = sockdocRun([...ours, '--', LAUNCHER, 'run', '--transport', 'kernel', '--', status]);
    expect(plain).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(plain.stdout).mode).toBe(1);
  });

  test.each([
    ['static', /is statically linked/],
    ['go', /is a Go program/],
    ['narrow', /is for 32 bits/],
  ])('a program that it cannot come into: %s', (kind, reason) => {
    const make = { static: bareProgram, go: bareProgram, narrow: narrowProgram }[kind] ?? bareProgram;
    const program = make(folder.path, `${kind}-program`, { go: kind === 'go' });
    const plain = ending(program, []);
    const run = sockdocRun([...ours, '--', program]);
    if (kind !== 'narrow') expect(run.status).toBe(9);
    expect([run.status, run.signal]).toEqual(
      plain.status === null && plain.signal === null ? [126, null] : [plain.status, plain.signal],
    );
    expect(run.stderr.split('\n')[0]).toMatch(reason);
    expect(sockdocRun(['--quiet', ...ours, '--', program]).stderr).toBe(run.status === 126 ? expect.any(String) : '');
    expect(sockdocRun(['--transport', 'shm', ...ours, '--', program])).toMatchObject({
      status: 4,
      stderr: expect.stringMatching(reason),
    });
  });

  test('musl', ({ skip }) => {
    if (spawnSync('musl-gcc', ['--version']).status !== 0) skip('musl-gcc is not installed');
    const program = compiled('libsd/plain', { compiler: 'musl-gcc', suffix: '.musl' });
    expect(sockdocRun([...ours, '--', program])).toMatchObject({
      status: 0,
      stdout: 'bytes went through a pipe\n',
      stderr: expect.stringMatching(/another C library than glibc, such as musl\n$/),
    });
  });

  test('a script is judged by its interpreter', async () => {
    const program = bareProgram(folder.path, 'interpreter');
    const script = folder.file('script', `#!${program} --flag\n`);
    await chmod(script, 0o755);
    expect(sockdocRun([...ours, '--', script])).toMatchObject({
      status: 9,
      stderr: `sockdoc run: on kernel TCP alone: ${program} is statically linked, so that no library can be loaded into it\n`,
    });
    const shell = folder.file('shell', '#!/bin/sh\necho "$LD_PRELOAD"\n');
    await chmod(shell, 0o755);
    expect(sockdocRun([...ours, '--', shell])).toMatchObject({ stdout: `${LIBSD}\n`, stderr: '' });
  });

  test('a program that gains privileges, for a user who has none', async (ctx) => {
    requireRoot(ctx);
    const program = join(folder.path, 'privileged');
    await chmod(folder.path, 0o755);
    await cp('/bin/true', program);
    await chmod(program, 0o4755);
    if (/nosuid/.test(execFileSync('findmnt', ['-no', 'OPTIONS', '-T', program], { encoding: 'utf8' })))
      ctx.skip('the folder for temporary files is mounted nosuid');
    const run = ending('setpriv', [`--reuid=${NOBODY}`, '--clear-groups', LAUNCHER, 'run', ...ours, '--', program]);
    expect(run).toMatchObject({ status: 0, stderr: expect.stringMatching(/gains privileges/) });
  });

  test('SOCKDOC_DISABLE, and a monitor that cannot be', async () => {
    const env = { SOCKDOC_DISABLE: '1' };
    const values = ['sh', '-c', 'echo "$LD_PRELOAD"'];
    expect(sockdocRun([...ours, '--', ...values], { env })).toMatchObject({
      stdout: '\n',
      stderr: 'sockdoc run: on kernel TCP alone: SOCKDOC_DISABLE is set\n',
    });
    const file = folder.file('no-socket', 'precious');
    for (const [path, reason] of [
      [file, /exists and is no socket/],
      ['/nonexistent/monitor.sock', /cannot be used/],
      [join(folder.path, 'x'.repeat(120)), /too long/],
    ] as const) {
      const flags = ['--socket', path, '--'];
      expect(sockdocRun([...flags, ...values])).toMatchObject({
        status: 0,
        stdout: '\n',
        stderr: expect.stringMatching(reason),
      });
      expect(sockdocRun(['--transport', 'shm', ...flags, ...values])).toMatchObject({ status: 4, stdout: '' });
    }
  });

  test('a monitor that was killed is replaced; one that is stopped delays nobody for long', async () => {
    const own = join(folder.path, 'own.sock');
    const flags = ['--socket', own, '--', 'sh', '-c', 'echo "$SOCKDOC_MONITOR"'];
    const pidOf = async () => JSON.parse((await sockdoc(['monitor', 'status', '--json', '--socket', own])).stdout).pid;
    expect(sockdocRun(flags).stdout).toBe(`${own}\n`);
    const first = await pidOf();
    process.kill(first, 'SIGKILL');
    await poll('it has ended', () => !existsSync(`/proc/${first}`));
    expect(existsSync(own)).toBe(true);
    expect(sockdocRun(flags)).toMatchObject({ stdout: `${own}\n`, stderr: '' });
    const second = await pidOf();
    process.kill(second, 'SIGSTOP');
    try {
      expect(sockdocRun(flags)).toMatchObject({ stdout: '\n', stderr: expect.stringMatching(/does not answer/) });
    } finally {
      process.kill(second, 'SIGKILL');
    }
  });

  test('from a folder whose path LD_PRELOAD cannot hold, as an ordinary user', async (ctx) => {
    requireRoot(ctx);
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const copy = join(folder.path, 'some where: $HOME');
    mkdirSync(join(copy, 'build'), { recursive: true });
    for (const name of [
      'bin',
      'dist',
      'package.json',
      'oclif.manifest.json',
      'build/release/libsd.so',
      'build/release/sockdoc.node',
      'build/release/sockdoc-monitor',
    ]) {
      mkdirSync(dirname(join(copy, name)), { recursive: true });
      await cp(join(root, name), join(copy, name), { recursive: true });
    }
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
    const runtime = join(folder.path, 'runtime');
    mkdirSync(runtime, { mode: 0o700 });
    await chown(runtime, NOBODY, NOBODY);
    await chmod(folder.path, 0o755);
    const user = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
    const rest = [...user, join(copy, 'bin/sockdoc'), 'run', '--', status];
    const env = { XDG_RUNTIME_DIR: runtime };
    try {
      const reachable = ending('setpriv', [
        ...user,
        process.execPath,
        '-e',
        `require('fs').readdirSync(${JSON.stringify(join(root, 'node_modules'))})`,
      ]);
      if (reachable.status !== 0) ctx.skip('an ordinary user may not enter the repository');
      const run = ending('setpriv', rest, { env });
      expect(run).toMatchObject({ status: 0, stderr: '' });
      expect(JSON.parse(run.stdout)).toMatchObject({ loaded: true });
      const shown = ending('setpriv', [...rest.slice(0, -1), 'sh', '-c', 'echo $LD_PRELOAD'], { env }).stdout.trim();
      expect(shown).toMatch(new RegExp(`^${runtime}/sockdoc/libsd-[0-9a-f]{16}\\.so$`));
      await chmod(join(runtime, 'sockdoc'), 0o777);
      const refused = ending('setpriv', [...rest.slice(0, -1), 'sh', '-c', 'echo "$LD_PRELOAD"'], { env: { ...env } });
      expect(refused.stdout).not.toContain(runtime);
    } finally {
      ending('setpriv', [...user, join(copy, 'bin/sockdoc'), 'monitor', 'stop'], { env });
    }
  });
});
