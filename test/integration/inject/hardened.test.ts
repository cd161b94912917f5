import { copyFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { monitorStatus } from '../../../src/services/monitor/status.js';
import { INJECT, inject, Speaker } from '../../support/inject.js';
import { compiled, hasLibsd } from '../../support/libsd.js';
import { MonitorBench } from '../../support/monitor.js';
import { poll } from '../../support/poll.js';

const UNREAD = fileURLToPath(new URL('../../../fixtures/programs/inject/unread.py', import.meta.url));
const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;

// Services limit themselves, or systemd does it for them.
describe.runIf(hasLibsd)('hardened processes', () => {
  const victims: Speaker[] = [];
  let bench: MonitorBench;
  beforeAll(async () => {
    bench = new MonitorBench();
    await bench.running();
  });
  afterAll(() => bench.remove());
  afterEach(async () => {
    for (const victim of victims.splice(0)) await victim.stop();
  });
  const started = async (command: readonly string[]) => {
    const victim = new Speaker(command);
    victims.push(victim);
    return { victim, said: await victim.line().catch((error: Error) => error.message) };
  };
  /** fixtures/programs/inject/confined.c: each mode is a filter more. */
  const confined = async (...modes: string[]) => {
    const { victim, said } = await started([compiled('inject/confined'), ...modes]);
    expect(said).toBe('ready');
    return victim;
  };
  /** Filters can be looked at: not by everybody, and not on every kernel. */
  const requireFilters = async ({ skip }: { skip: (why: string) => unknown }) => {
    const victim = await confined('allow');
    const { state, reason } = inject('attach', victim.pid, { args: ['--dry-run'] });
    if (state !== 'ready') skip(reason ?? '');
  };
  const attach = (victim: Speaker) =>
    inject('attach', victim.pid, { args: ['--monitor', bench.socket, '--after-calls', '1'] });
  const shared = async () =>
    ((await monitorStatus(bench.socket)).ends ?? []).filter(({ transport }) => transport === 'shm').length;

  /** Attached, on shared memory, used in each way, and detached, twice; and then it goes on as it was. */
  const comesAndGoes = async (victim: Speaker) => {
    for (const turn of [1, 2]) {
      expect(attach(victim), `turn ${turn}`).toMatchObject({ state: 'attached' });
      expect(await victim.ask('new')).toBe('done');
      await poll('its connection moves', async () => {
        expect(await victim.ask('talk 100')).toBe('done');
        return (await shared()) === 2;
      });
      expect(inject('detach', victim.pid), `turn ${turn}`).toMatchObject({ state: 'detached' });
      expect(await victim.ask('talk 100')).toBe('done');
    }
    expect(await victim.finish('talk 1')).toBe('done\nended 0');
  };

  it('one that may not make written memory executable: attached and detached', async ({ skip }) => {
    const { victim, said } = await started([compiled('libsd/without_exec_memory'), '/usr/bin/python3', UNREAD]);
    if (said !== 'ready') skip('this kernel cannot forbid it (PR_SET_MDWE)');
    await comesAndGoes(victim);
  });

  it.for([
    ['that ends it for all but what sockdoc and it need', ['strict']],
    ['in one of its threads', ['thread-strict']],
    ['beside others', ['strict', 'allow', 'log']],
    ['that gives an error which libsd can deal with', ['error-kcmp', 'error-getrandom']],
  ] as const)('one with a filter of system calls %s: attached and detached', async ([, modes], context) => {
    await requireFilters(context);
    await comesAndGoes(await confined(...modes));
  });

  it.for([
    ['a call of the injector', ['strict-memfd_create'], 'memfd_create'],
    ['a call of libsd, in the older of two', ['strict-eventfd2', 'strict'], 'eventfd2'],
    ['a call of libsd, in the newer of two', ['strict', 'strict-eventfd2'], 'eventfd2'],
    ['a call with these arguments', ['strict-mmap(PROT_EXEC)'], 'mmap(PROT_EXEC)'],
    ['a call in one thread', ['thread-strict-readlinkat'], 'readlinkat'],
    ['what a stopped thread goes on by', ['strict-restart_syscall'], 'restart_syscall'],
    ['a call, with an error that matters', ['error-madvise'], 'madvise'],
    ['UNIX sockets', ['internet'], 'socket(AF_UNIX)'],
    ['nothing, but asks another process', ['ask'], 'getpid'],
  ] as const)('one whose filter forbids %s: refused, and goes on', async ([, modes, name], context) => {
    await requireFilters(context);
    const victim = await confined(...modes);
    expect(await victim.ask('new')).toBe('done');
    for (const dry of [['--dry-run'], []]) {
      const said = inject('attach', victim.pid, { args: dry });
      expect(said).toMatchObject({ state: 'refused', code: 'seccomp' });
      expect(said.reason).toContain(`what libsd needs: ${name}.`);
    }
    expect(await victim.finish('talk 100')).toBe('done\nended 0');
  });

  it.for([
    ['by seccomp(2)', 'limit alone', true],
    ['by prctl(2)', 'prctl', true],
    ['where no connection could move', 'limit alone', false],
  ] as const)('one that limits itself later, to less than libsd needs, %s: goes on', async ([, command, moves]) => {
    const victim = await confined();
    const monitor = moves ? ['--monitor', bench.socket] : [];
    const attached = inject('attach', victim.pid, { args: [...monitor, '--after-calls', '1'] });
    expect(attached).toMatchObject({ state: 'attached' });
    expect(await victim.ask('new')).toBe('done');
    expect(await victim.ask('talk 100')).toBe('done');
    if (moves) {
      await poll('its connection moves', async () => {
        expect(await victim.ask('talk 100')).toBe('done');
        return (await shared()) === 2;
      });
    }
    expect(await victim.ask(command)).toBe('done');
    expect(await victim.ask('talk 200')).toBe('done');
    expect(await victim.ask('new')).toBe('done');
    expect(await victim.ask('talk 200')).toBe('done');
    if (moves) await poll('nothing goes by memory', async () => (await shared()) === 0);
    expect(await victim.finish('talk 100')).toBe('done\nended 0');
  });

  it.runIf(isRoot)('one with a filter, for who is not root: refused', async () => {
    const folder = bench.folderFor(NOBODY, 0o755);
    const [injector, program] = [INJECT, compiled('inject/confined')].map((file) => {
      const copy = join(folder, basename(file));
      copyFileSync(file, copy);
      return copy;
    }) as [string, string];
    const prefix = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
    const { victim, said } = await started([...prefix, program, 'allow']);
    expect(said).toBe('ready');
    expect(inject('attach', victim.pid, { program: injector, prefix, args: ['--dry-run'] })).toMatchObject({
      state: 'refused',
      code: 'seccomp',
      reason: 'It limits its own system calls (seccomp), and only root may look at its filters (CAP_SYS_ADMIN).',
      next: 'Run it as root.',
    });
  });
});
