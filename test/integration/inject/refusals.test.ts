import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { INJECT, inject, injecting, Speaker } from '../../support/inject.js';
import { compiled, hasLibsd } from '../../support/libsd.js';
import { poll } from '../../support/poll.js';

const isRoot = process.getuid?.() === 0;
const has = (program: string) => spawnSync('which', [program]).status === 0;
const soon = { args: ['--timeout-ms', '800'] };

describe.runIf(hasLibsd)('what is not attached to', () => {
  const speakers: Speaker[] = [];
  let folder = '';
  let odd = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sockdoc-inject-'));
    chmodSync(folder, 0o755);
    odd = compiled('inject/odd');
  });
  afterEach(async () => {
    for (const speaker of speakers.splice(0)) await speaker.stop();
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const started = (command: readonly string[]) => {
    const speaker = new Speaker(command);
    speakers.push(speaker);
    return speaker;
  };
  /** fixtures/programs/inject/odd.c: its pid, and what it said. */
  const oddOne = async (what: string, command: readonly string[] = [odd]) => {
    const speaker = started([...command, what]);
    const said = JSON.parse((await speaker.line()).slice('ready '.length));
    return { speaker, pid: speaker.pid, other: said.other as number, error: said.error as string | undefined };
  };
  const refusal = (code: string, reason: RegExp) => ({ state: 'refused', code, reason: expect.stringMatching(reason) });

  it('a process that is not there, and one that ends meanwhile', async () => {
    const { speaker, pid } = await oddOne('plain');
    await speaker.stop();
    expect(inject('attach', pid)).toMatchObject(refusal('gone', /has ended/));
  });

  it('a zombie', async () => {
    const { other } = await oddOne('zombie');
    expect(inject('attach', other)).toMatchObject(refusal('zombie', /parent has not taken notice/));
  });

  it('a process whose first thread has ended', async () => {
    const { pid } = await oddOne('leader-gone');
    await poll('its first thread ends', () => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z '));
    expect(inject('attach', pid)).toMatchObject(refusal('zombie', /first thread/));
  });

  it('one that is traced', async () => {
    const { other, pid } = await oddOne('traced');
    expect(inject('attach', other)).toMatchObject(refusal('traced', new RegExp(`odd.*\\(${pid}\\)`)));
  });

  it.for([
    ['strace', '-o', '/dev/null', '-p'],
    ['gdb', '-q', '-p'],
  ] as const)('one under %s', async ([program, ...words], { skip }) => {
    if (!has(program)) skip(`${program} is not installed`);
    const { pid } = await oddOne('waiting');
    const command = [program, ...words, String(pid)];
    const tracer = spawn(command[0] as string, command.slice(1), { stdio: ['pipe', 'ignore', 'ignore'] });
    try {
      const traced = () => !/TracerPid:\t0\n/.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
      await poll('it is traced', traced).catch(() => skip('the debugger may not trace here'));
      expect(inject('attach', pid)).toMatchObject(refusal('traced', new RegExp(program)));
    } finally {
      const gone = new Promise((resolve) => tracer.once('exit', resolve));
      tracer.kill('SIGKILL');
      await gone;
    }
  });

  it('one that is stopped', async () => {
    const { pid } = await oddOne('plain');
    process.kill(pid, 'SIGSTOP');
    await poll('it stops', () => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') T '));
    expect(inject('attach', pid)).toMatchObject({
      ...refusal('stopped', /stopped/),
      next: expect.stringContaining('CONT'),
    });
    process.kill(pid, 'SIGCONT');
  });

  it('one whose memory another process runs in', async () => {
    const { pid, other } = await oddOne('shared-memory');
    expect(inject('attach', pid)).toMatchObject(refusal('shared-memory', new RegExp(`Process ${other} `)));
  });

  it('one with an io_uring', async ({ skip }) => {
    const { pid, error } = await oddOne('io_uring');
    if (error !== undefined) skip(`no io_uring here: ${error}`);
    expect(inject('attach', pid)).toMatchObject(refusal('io-uring', /io_uring/));
  });

  it('one that waits uninterruptibly', async () => {
    const { other } = await oddOne('uninterruptible');
    await poll('it waits', () => readFileSync(`/proc/${other}/stat`, 'utf8').includes(') D '));
    expect(inject('attach', other, soon)).toMatchObject(refusal('uninterruptible', /cannot be interrupted/));
  });

  it('a kernel thread', ({ skip }) => {
    if (!existsSync('/proc/2') || !/kthreadd/.test(readFileSync('/proc/2/comm', 'utf8'))) skip('none to be seen here');
    expect(inject('attach', 2)).toMatchObject(refusal('kernel-thread', /kernel/));
  });

  it('us', () => {
    expect(inject('attach', process.pid)).toMatchObject(refusal('self', /has started it/));
  });

  it('a Go program', ({ skip }) => {
    if (!has('fzf')) skip('fzf is not installed');
    const { pid } = started(['fzf', '--filter=x']);
    expect(inject('attach', pid)).toMatchObject(refusal('go', /Go program/));
  });

  it('static programs and those of musl', async ({ skip }) => {
    const fixed = started([compiled('inject/odd', { flags: ['-static'], suffix: '-static' }), 'plain']);
    await fixed.line();
    expect(inject('attach', fixed.pid)).toMatchObject(refusal('static', /statically linked/));
    if (!has('musl-gcc')) skip('musl-tools is not installed');
    const foreign = started([
      compiled('inject/odd', {
        compiler: 'musl-gcc',
        flags: ['-idirafter', '/usr/include', '-idirafter', '/usr/include/x86_64-linux-gnu'],
        suffix: '-musl',
      }),
      'plain',
    ]);
    await foreign.line();
    expect(inject('attach', foreign.pid)).toMatchObject(refusal('musl', /another C library/));
  });

  it.runIf(isRoot)('those that others run, for who is not root', async () => {
    const { pid } = await oddOne('plain');
    const program = join(folder, 'inject');
    copyFileSync(INJECT, program);
    const asNobody = (user: number) => ({
      program,
      prefix: ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups'],
      args: ['--dry-run'],
    });
    expect(inject('attach', pid, asNobody(65534))).toMatchObject(
      refusal('permission', /runs as user 0, and you are user 65534/),
    );

    const copy = join(folder, 'odd');
    copyFileSync(odd, copy);
    const own = await oddOne('undumpable', ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', copy]);
    expect(inject('attach', own.pid, asNobody(65534))).toMatchObject(refusal('setuid', /PR_SET_DUMPABLE/));

    chmodSync(copy, 0o4755);
    const risen = await oddOne('plain', ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', copy]);
    expect(inject('attach', risen.pid, asNobody(65534))).toMatchObject(refusal('setuid', /gained privileges/));
  });

  it('the same for who runs them: attached', async () => {
    const { pid } = await oddOne('waiting');
    expect(inject('attach', pid, { args: ['--dry-run'] })).toEqual({
      pid,
      comm: expect.stringMatching(/^odd/),
      state: 'ready',
    });
    expect(inject('detach', pid)).toMatchObject(refusal('not-attached', /not loaded/));
    expect(inject('attach', pid).state).toBe('attached');
    expect(inject('attach', pid)).toMatchObject(refusal('already', /at work/));
    expect(inject('detach', pid).state).toBe('detached');
    expect(inject('detach', pid)).toMatchObject(refusal('not-attached', /not at work/));
  });

  it.runIf(isRoot)('the first process of a container, in namespaces of its own: attached', async ({ skip }) => {
    const space = ['unshare', '--user', '--map-root-user', '--pid', '--fork', '--kill-child', '--mount-proc', '--net'];
    if (spawnSync(space[0] as string, [...space.slice(1), 'true']).status !== 0) skip('no user namespaces here');
    const { pid: outside } = await oddOne('waiting', [...space, odd]);
    const pid = Number(readFileSync(`/proc/${outside}/task/${outside}/children`, 'utf8'));
    expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/^NSpid:\t\d+\t1$/m);
    expect(inject('attach', pid)).toMatchObject({ state: 'attached' });
    expect(inject('detach', pid)).toMatchObject({ state: 'detached' });
  });

  it('another program than the one that was judged, in its place', async () => {
    const { speaker, pid } = await oddOne('executes');
    const { child, said } = injecting(pid, ['--timeout-ms', '30000']);
    const naps = () => {
      const tracer = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim();
      const status = tracer === '' ? '' : readFileSync(`/proc/${tracer}/status`, 'utf8');
      return Number(/^voluntary_ctxt_switches:\t(\d+)/m.exec(status)?.[1]);
    };
    await poll('it has judged, and waits for a safe point', () => naps() > 50);
    process.kill(pid, 'SIGUSR1');
    expect(await said).toMatchObject(refusal('gone', /executed another program/));
    expect(await speaker.line()).toMatch(/^ready/);
    expect(inject('attach', pid).state).toBe('attached');
  });

  it.runIf(isRoot)('one that would have root write another file than the one of memory', async () => {
    const precious = join(folder, 'precious');
    const hostile = join(folder, 'hostile');
    copyFileSync(compiled('inject/hostile'), hostile);
    for (let i = 0; i < 8; i++) {
      writeFileSync(precious, 'of root', { mode: 0o644 });
      const command = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', hostile, 'swap', precious];
      const speaker = started(command);
      expect(await speaker.line()).toBe('ready');
      inject('attach', speaker.pid, soon);
      expect(readFileSync(precious, 'utf8')).toBe('of root');
      await speaker.stop();
    }
  });

  it.each(['chain', 'text'])('one whose memory says that it has no end: %s', async (what) => {
    const speaker = started([compiled('inject/hostile'), what]);
    expect(await speaker.line()).toBe('ready');
    expect(inject('attach', speaker.pid)).toMatchObject(refusal('musl', /lacks functions/));
  });

  it('wrong use: text on stderr, exit code 2', () => {
    for (const args of [
      [],
      ['attach'],
      ['attach', '1'],
      ['attach', 'x', '--dry-run'],
      ['leave', '1'],
      ['detach', '1', '--timeout-ms', 'x'],
    ]) {
      expect(spawnSync(INJECT, args, { encoding: 'utf8' })).toMatchObject({
        status: 2,
        stdout: '',
        stderr: expect.stringContaining('Usage:'),
      });
    }
  });
});
