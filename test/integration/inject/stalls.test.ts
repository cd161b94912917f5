import { mkdtempSync, readFileSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { inject, Speaker } from '../../support/inject.js';
import { compiled, hasLibsd } from '../../support/libsd.js';

const TIMEOUT_MS = 2000;
const LIMIT = ['--timeout-ms', String(TIMEOUT_MS)];
/** More than it may take: what was begun is taken back behind the deadline, and the machine is busy. */
const AT_MOST_MS = TIMEOUT_MS + 3500;
const isRoot = process.getuid?.() === 0;

describe.runIf(hasLibsd)('memory that does not come', () => {
  let victim: Speaker | undefined;
  beforeAll(() => {
    compiled('inject/stalling');
    compiled('inject/far');
  });
  afterEach(() => victim?.stop());

  /** What the injector says, or the test fails: it hangs. */
  const inTime = (verb: 'attach' | 'detach', pid: number, args: readonly string[] = []) => {
    const began = performance.now();
    const said = inject(verb, pid, { args: [...LIMIT, ...args] });
    expect(performance.now() - began).toBeLessThan(AT_MOST_MS);
    return said;
  };
  const stalled = (
    reason = /^Memory of it at 0x[0-9a-f]+( \(.*\))? does not come.*\(userfaultfd, or a file system/,
  ) => ({
    state: 'refused',
    code: 'stalled',
    reason: expect.stringMatching(reason),
    next: 'Try again once that answers.',
  });
  const isTraced = (pid: number) => !/^TracerPid:\t0$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));

  describe('since who is to bring it does not (fixtures/programs/inject/stalling.c)', () => {
    const started = async (where: string) => {
      victim = new Speaker([compiled('inject/stalling'), where]);
      expect(await victim.line()).toBe('ready');
      return victim;
    };
    const misses = async (program: Speaker, skip: (why: string) => void) => {
      const said = await program.ask('miss');
      if (said !== 'it is missing') skip(said);
    };

    it.for([
      ['of what may be an object of the loader', 'object', []],
      ['of what may be an object of the loader, where it only looks', 'object', ['--dry-run']],
      ['below the stack of the thread that is held', 'below', []],
      ['amid the stack of a thread, while all are held', 'amid', []],
      ['of what a thread is amid sending, while all are held', 'parts', []],
    ] as const)('%s: refused in time, and it is as it was', async ([, where, args], { skip }) => {
      const program = await started(where);
      await misses(program, skip);
      const said = inTime('attach', program.pid, args);
      expect(said).toMatchObject(stalled());
      for (const ms of said.stops ?? []) expect(ms).toBeLessThan(1500);
      expect(isTraced(program.pid)).toBe(false);
      expect(await program.finish('go')).toBe('as it was\nended 0');
    });

    it('of one that is attached: refused in time, and stays so', async ({ skip }) => {
      const program = await started('object');
      expect(inject('attach', program.pid)).toMatchObject({ state: 'attached' });
      await misses(program, skip);
      expect(inTime('detach', program.pid)).toMatchObject(stalled());
      expect(isTraced(program.pid)).toBe(false);
      expect(await program.finish('go')).toBe('as it was\nended 0');
    });
  });

  describe.runIf(isRoot)('since a file system does not answer (fixtures/programs/inject/far.c)', () => {
    let folder = '';
    afterEach(() => {
      if (folder !== '') rmdirSync(folder);
      folder = '';
    });
    const started = async (what: string, skip: (why: string) => void) => {
      folder = mkdtempSync(join(tmpdir(), 'sockdoc-far-'));
      const program = compiled('inject/far');
      victim = new Speaker([program, what, folder, program]);
      const said = await victim.line();
      if (said !== 'ready') skip(said);
      return victim;
    };

    it.for([
      ['the pages of a file', 'pages'],
      ['the pages of a file, which it has begun to bring', 'taken'],
    ] as const)('%s: refused in time, and it is as it was', async ([, what], { skip }) => {
      const program = await started(what, skip);
      const said = inTime('attach', program.pid);
      expect(said).toMatchObject(stalled());
      expect(said.reason).toContain(`(${join(folder, 'file')})`);
      expect(await program.finish('go')).toBe('as it was\nended 0');
    });

    it('the file of its program: refused in time, and it is as it was', async ({ skip }) => {
      const program = await started('program', skip);
      expect(inTime('attach', program.pid)).toMatchObject(stalled(/did not come back from the kernel in time/));
      expect(await program.finish('go')).toBe('as it was\nended 0');
    });
  });
});
