import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { attach } from '../../../src/control/inject/client.js';
import { cases, inject, killedAt, Speaker } from '../../support/inject.js';
import { compiled, hasLibsd } from '../../support/libsd.js';

type Words = readonly [call: string, came: number, ms?: number, local?: 'tcp' | 'unix', limited?: 'limited'];

// fixtures/programs/inject/alone.c: there is nobody else in the process who could make calls for the injector.
describe.runIf(hasLibsd)('a process whose only thread sleeps amid its bytes', () => {
  let program = '';
  beforeAll(() => {
    program = compiled('inject/alone');
  });

  /** What it says where `work` was done while it slept. */
  async function after(words: Words, line: string, work: (pid: number) => void): Promise<string> {
    const victim = new Speaker([program, ...words.filter((word) => word !== undefined).map(String)]);
    try {
      expect(await victim.line()).toBe('ready');
      work(victim.pid);
      return await victim.finish(line);
    } finally {
      await victim.stop();
    }
  }
  const attached = (pid: number) => expect(inject('attach', pid)).toMatchObject({ state: 'attached' });
  const PART = 3000;

  const CALLS: [line: string, ...words: Words][] = [
    ['rest', 'recv', PART],
    ['rest', 'recv', 0],
    ['rest', 'recv', PART, 0, 'unix'],
    ['rest', 'recvmsg', PART],
    ['close', 'recv', PART],
    ['reset', 'recv', PART],
    ['reset', 'recvmsg', PART],
    ['reset', 'recv', 0],
    ['signal', 'recv', PART],
    ['signal', 'recv', 0],
    ['restart', 'recv', PART],
    ['wait', 'recv', PART, 800],
    ['rest', 'recv', PART, 60_000],
    ['rest', 'send', 0],
    ['rest', 'write', 0],
    ['rest', 'writev', 0],
    ['rest', 'sendmsg', 0],
    ['rest', 'sendfile', 0],
    ['rest', 'stdin', 0],
    ['rest', 'send', 0, 60_000],
    ['rest', 'sendmsg', 0, 0, 'unix'],
    ['close', 'send', 0],
    ['reset', 'send', 0],
    ['reset', 'send', 0, 60_000],
    ['reset', 'write', 0],
    ['reset', 'sendfile', 0],
    ['half', 'send', 0],
    ['half', 'writev', 0],
    ['half', 'sendfile', 0],
    ['close', 'write', 0, 0, 'unix'],
    ['close', 'sendfile', 0, 0, 'unix'],
    ['deaf', 'send', 0, 0, 'unix'],
    ['signal', 'send', 0],
    ['restart', 'send', 0],
    ['restart', 'writev', 0],
    ['restart', 'sendfile', 0],
    ['restart', 'send', 0, 0, 'unix'],
    ['wait', 'send', 0, 800],
  ];
  it.each(cases(CALLS))('is attached to, and its call gives what it gives else: %s: %s %i', async (line, ...words) => {
    const plain = await after(words, line, () => {});
    expect(plain).toMatch(/ended 0$/);
    expect(await after(words, line, attached)).toBe(plain);
    expect(
      await after(words, line, (pid) => {
        attached(pid);
        expect(inject('detach', pid)).toMatchObject({ state: 'detached' });
      }),
    ).toBe(plain);
  });

  it.each(cases(['recv', 'recvmsg', 'send', 'writev', 'sendmsg', 'sendfile', 'stdin']))(
    'has all its bytes where libsd cannot be loaded: %s',
    async (call) => {
      const words = [call, PART] as const;
      const plain = await after(words, 'rest', () => {});
      const refused = await after(words, 'rest', (pid) =>
        expect(inject('attach', pid, { args: ['--library', '/etc/passwd'] })).toMatchObject({ code: 'loader' }),
      );
      expect(refused).toBe(plain);
    },
  );

  it.each(cases(['recv', 'recvmsg', 'send', 'sendfile']))(
    'has all its bytes where it gets no memory, and is attached to later: %s',
    async (call) => {
      const words = [call, PART] as const;
      const plain = await after(words, 'rest', () => {});
      const limit = (pid: number, bytes: string) =>
        expect(spawnSync('prlimit', [`--pid=${pid}`, `--as=${bytes}:`]).status).toBe(0);
      const refused = await after(words, 'rest', (pid) => {
        limit(pid, '4096');
        for (let i = 0; i < 3; i++) expect(inject('attach', pid)).toMatchObject({ state: 'refused', code: 'memory' });
        limit(pid, 'unlimited');
        attached(pid);
      });
      expect(refused).toBe(plain);
    },
  );

  it.each(cases(['recv', 'recvmsg', 'send', 'writev', 'sendfile']))(
    'has all its bytes where it limits its system calls, so that it is refused: %s',
    async (call) => {
      const words = [call, PART, 0, 'tcp', 'limited'] as const;
      const plain = await after(words, 'rest', () => {});
      expect(plain).toMatch(/ended 0$/);
      const refused = await after(words, 'rest', (pid) => {
        for (const dry of [['--dry-run'], []]) {
          const said = inject('attach', pid, { args: [...dry, '--timeout-ms', '300'] });
          expect(said).toMatchObject({ state: 'refused', code: 'seccomp' });
        }
      });
      expect(refused).toBe(plain);
    },
  );

  it('is looked at for about a second where it may not be stopped', async () => {
    const words = ['recv', PART, 0, 'tcp', 'limited'] as const;
    await after(words, 'rest', (pid) => {
      const began = performance.now();
      expect(inject('attach', pid, { args: ['--dry-run'] })).toMatchObject({ state: 'refused', code: 'seccomp' });
      expect(performance.now() - began).toBeLessThan(3500);
    });
  });

  it('is looked at beside others, which are named in the order that they were asked about in', async () => {
    const victims = Array.from(
      { length: 6 },
      () => new Speaker([program, 'recv', String(PART), '0', 'tcp', 'limited']),
    );
    try {
      for (const victim of victims) expect(await victim.line()).toBe('ready');
      const began = performance.now();
      const looked = await attach(
        victims.map(({ pid }) => pid),
        '',
        { dryRun: true },
      );
      expect(performance.now() - began).toBeLessThan(4500);
      expect(looked.map(({ pid, code }) => [pid, code])).toEqual(victims.map(({ pid }) => [pid, 'seccomp']));
    } finally {
      for (const victim of victims) await victim.stop();
    }
  });

  it.each([3, 6, 9, 12])('has all its bytes when the injector is killed at step %i', async (step) => {
    const plain = await after(['recvmsg', PART], 'rest', () => {});
    const killed = await after(['recvmsg', PART], 'rest', (pid) => {
      expect(killedAt(step, 'attach', pid)).toBe(true);
      expect(['already', 'attached']).toContain(inject('attach', pid).code ?? 'attached');
    });
    expect(killed).toBe(plain);
  });
});
