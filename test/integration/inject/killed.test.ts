import { existsSync, readFileSync } from 'node:fs';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { inject, injecting, killedAt, Speaker } from '../../support/inject.js';
import { compiled, hasLibsd } from '../../support/libsd.js';
import { poll } from '../../support/poll.js';

const ALL = 16 << 20;
const WAITS = ['--timeout-ms', '30000'];

// fixtures/programs/inject/reluctant.c: from being told to stop to standing it takes its thread long, and the kernel gives it less
// than it sent from the moment when it is told. Somebody has to be there to mend that.
describe.runIf(hasLibsd)('an injector that is killed while a thread was told to stop and has not yet', () => {
  let program = '';
  let victim: Speaker | undefined;
  beforeAll(() => {
    program = compiled('inject/reluctant');
  });
  afterEach(() => victim?.stop());

  /** Its memory comes so many milliseconds after its thread is told, or when its child gets a signal. */
  const started = async (ms: number, skip: (why: string) => void) => {
    victim = new Speaker([program, String(ms)]);
    const said = await victim.line();
    if (!said.startsWith('ready ')) skip(said);
    const [, tid = '', child] = said.split(' ');
    return { victim, tid, child: Number(child) };
  };
  const statusOf = (pid: number, tid: string) => {
    const file = `/proc/${pid}/task/${tid}/status`;
    return existsSync(file) ? readFileSync(file, 'utf8') : 'gone';
  };
  /** Its thread was told to stop: until then it sleeps, and now it waits for memory in spite of what wakes it. */
  const isTold = (status: string) => /^State:\tR/m.test(status) && !/^TracerPid:\t0$/m.test(status);
  const goesOn = (status: string) =>
    status === 'gone' || (/^State:\tS/m.test(status) && /^TracerPid:\t0$/m.test(status));

  const unharmed = async ({ victim, tid }: { victim: Speaker; tid: string }) => {
    // Another injector would find what the first has left, and mend that.
    await poll('it has its memory', () => goesOn(statusOf(victim.pid, tid)));
    const { state, code } = inject('attach', victim.pid, { args: WAITS });
    expect(['already', 'attached']).toContain(code ?? state);
    expect(await victim.finish('go')).toBe(`sent ${ALL}, came ${ALL}\nended 0`);
  };

  it('waits for it before it gives up a try', async ({ skip }) => {
    const reluctant = await started(300, skip);
    expect(killedAt(12, 'attach', reluctant.victim.pid)).toBe(true);
    await unharmed(reluctant);
  });

  it('has a child that mends what it had begun', async ({ skip }) => {
    const reluctant = await started(8000, skip);
    const { pid } = reluctant.victim;
    const { child, said } = injecting(pid, WAITS);
    await poll('it is told', () => isTold(statusOf(pid, reluctant.tid)), { everyMs: 1 });
    child.kill('SIGKILL');
    process.kill(reluctant.child, 'SIGUSR1');
    await expect(said).rejects.toThrow('SIGKILL');
    await unharmed(reluctant);
  });
});
