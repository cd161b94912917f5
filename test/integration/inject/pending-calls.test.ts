import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { cases, inject, killedAt, Speaker } from '../../support/inject.js';
import { compiled, hasLibsd } from '../../support/libsd.js';

// fixtures/programs/inject/blocked.c has a thread in each call that can wait for a socket. Whatever is done to it meanwhile, each call
// must give what it gives when nothing is done.
describe.runIf(hasLibsd)('calls that wait when somebody attaches', () => {
  let program = '';
  let plain = '';
  beforeAll(async () => {
    program = compiled('inject/blocked');
    plain = await after(300, () => {});
  });

  /** What the program says after `work` was done while all of its calls were pending. `ms`: its timeouts that pass. */
  async function after(ms: number, work: (pid: number) => void): Promise<string> {
    const victim = new Speaker([program, String(ms)]);
    try {
      expect(await victim.line()).toBe('ready');
      work(victim.pid);
      return await victim.finish('go');
    } finally {
      await victim.stop();
    }
  }

  it('is a program with many of them', () => {
    expect(plain).toContain('do_send take_big: 16777216 - 1\n');
    expect(plain).toMatch(/ended 0$/);
    expect(plain.split('\n').length).toBeGreaterThan(30);
  });

  it('give the same', async () => {
    const attached = await after(2000, (pid) => expect(inject('attach', pid).state).toBe('attached'));
    expect(attached).toBe(plain);
  });

  it('give the same after several turns, and libc is its file again', async () => {
    const turned = await after(2000, (pid) => {
      const text = textOfLibc(pid);
      for (let i = 0; i < 3; i++) {
        expect(inject('attach', pid).state).toBe('attached');
        expect(textOfLibc(pid).equals(text)).toBe(false);
        expect(inject('detach', pid).state).toBe('detached');
        expect(textOfLibc(pid).equals(text)).toBe(true);
      }
    });
    expect(turned).toBe(plain);
  });

  it('on a small stack are left alone before there is no room for another hook', async () => {
    const victim = new Speaker([compiled('inject/small_stack')]);
    try {
      expect(await victim.line()).toBe('ready');
      let turns = 0;
      let last = inject('attach', victim.pid);
      // The thread sleeps in the hooks of each turn, since nobody wakes it.
      for (; last.state === 'attached' && turns < 50; turns++) {
        expect(inject('detach', victim.pid).state).toBe('detached');
        last = inject('attach', victim.pid);
      }
      expect(last).toMatchObject({
        state: 'refused',
        code: 'stack',
        reason: expect.stringContaining('too little room'),
      });
      expect(turns).toBeGreaterThan(3);
      expect(await victim.finish('go')).toBe('fine\nended 0');
    } finally {
      await victim.stop();
    }
  });

  const STEPS = { attach: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], detach: [2, 3, 7, 8, 11, 12] } as const;
  it.each(cases(STEPS.attach))(
    'give the same when the injector is killed at step %i, and it can be attached',
    async (step) => {
      const killed = await after(300, (pid) => {
        expect(killedAt(step, 'attach', pid)).toBe(true);
        const again = inject('attach', pid);
        // A first try may have ended in time, and have been left at the last step.
        expect(step > 9 ? ['already', 'attached'] : ['attached']).toContain(again.code ?? again.state);
      });
      expect(killed).toBe(plain);
    },
  );
  it.each(cases(STEPS.detach))(
    'give the same when the injector is killed at step %i of the way back, and it can be detached',
    async (step) => {
      const killed = await after(300, (pid) => {
        expect(inject('attach', pid).state).toBe('attached');
        expect(killedAt(step, 'detach', pid)).toBe(true);
        const again = inject('detach', pid);
        expect(again.code ?? again.state).toBe(again.state === 'detached' ? 'detached' : 'not-attached');
      });
      expect(killed).toBe(plain);
    },
  );
});

/** The C library's code as it is in the memory of a process; the kernel lists it in pieces where some was written. */
function textOfLibc(pid: number): Buffer {
  const pieces = readFileSync(`/proc/${pid}/maps`, 'utf8')
    .split('\n')
    .filter((line) => / r-xp .*libc\.so\.6$/.test(line))
    .map((line) => (line.split(' ')[0] ?? '').split('-').map((word) => Number.parseInt(word, 16)));
  const [begin = 0, end = 0] = [pieces[0]?.[0], pieces.at(-1)?.[1]];
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    const bytes = Buffer.alloc(end - begin);
    expect(readSync(memory, bytes, 0, bytes.length, begin)).toBeGreaterThan(1_000_000);
    return bytes;
  } finally {
    closeSync(memory);
  }
}
