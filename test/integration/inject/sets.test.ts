import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, type TestContext } from 'vitest';
import { monitorStatus } from '../../../src/services/monitor/status.js';
import { type Injected, inject, Speaker } from '../../support/inject.js';
import { hasLibsd } from '../../support/libsd.js';
import { requireRoot } from '../../support/live.js';
import { MonitorBench } from '../../support/monitor.js';
import { poll } from '../../support/poll.js';

const SETS = fileURLToPath(new URL('../../../fixtures/programs/inject/sets.py', import.meta.url));
const [NOTHING, IN, OUT] = [0, 1, 4];
/** EPOLLERR and EPOLLHUP, which the kernel adds. */
const ALWAYS = 0x18;

// What the kernel has of a member is what `tfd:` of the set's fdinfo says: while a change waits, not what the program said last.
describe.runIf(hasLibsd)('epoll sets that a process had before it was attached to', () => {
  let bench: MonitorBench;
  let victim: Speaker;
  let set: string;
  let member: string;
  beforeEach(async () => {
    bench = new MonitorBench();
    await bench.running();
  });
  afterEach(async () => {
    await victim?.stop();
    await bench.remove();
  });

  const started = async (context: TestContext, how: string) => {
    requireRoot(context);
    victim = new Speaker(['/usr/bin/python3', SETS, how]);
    [set, member] = (await victim.line()).split(' ') as [string, string];
  };
  /** Attached, with its connection in memory. */
  const attached = async (context: TestContext, prefix: readonly string[] = []): Promise<Injected> => {
    const said = inject('attach', victim.pid, { args: ['--monitor', bench.socket, '--after-calls', '1'], prefix });
    expect(said).toMatchObject({ state: 'attached' });
    if (prefix.length === 0 && said.sets?.unclear) context.skip(`the kernel does not tell: ${said.sets.unclear}`);
    await poll('its connection moves', async () => {
      expect(await victim.ask('talk 100')).toBe('done');
      return (await monitorStatus(bench.socket)).ends?.filter(({ transport }) => transport === 'shm').length === 2;
    });
    // It has its memory, and crosses to it with a call.
    expect(await victim.ask('talk 100')).toBe('done');
    return said;
  };
  const wants = async (interest: number) => expect(await victim.ask(`want ${interest}`)).toBe('done');
  const kernelHas = () => {
    const lines = readFileSync(`/proc/${victim.pid}/fdinfo/${set}`, 'utf8').split('\n');
    const events = lines
      .map((line) => /^tfd: *(\d+) events: *([0-9a-f]+) /.exec(line))
      .find((one) => one?.[1] === member);
    return Number.parseInt(events?.[2] as string, 16) & ~ALWAYS;
  };

  it('are changed where the kernel hears of it later, and has all of it once libsd has gone', async (context) => {
    await started(context, 'alone');
    for (let cycle = 0; cycle < 2; cycle++) {
      expect((await attached(context)).sets).toEqual({ count: 1, own: 1 });
      await wants(OUT);
      expect(kernelHas(), 'it has not been asked since').toBe(IN);
      expect(await victim.ask('wait')).toBe(`${OUT}`);
      await wants(NOTHING);
      expect(await victim.ask('wait')).toBe('nothing');
      expect(kernelHas(), 'a thread has slept in it').toBe(NOTHING);
      await wants(IN);
      expect(kernelHas()).toBe(NOTHING);
      expect(inject('detach', victim.pid)).toMatchObject({ state: 'detached' });
      expect(kernelHas(), 'as the program said last').toBe(IN);
      expect(await victim.ask('wait')).toBe('nothing');
    }
  });

  it.for([
    ['was forked', 'child', OUT],
    ['got them passed', 'passed', OUT],
    ['has them in a set of its own', 'member', IN],
  ] as const)('are changed at once where another process %s', async ([, how, tells], context) => {
    await started(context, how);
    expect((await attached(context)).sets).toEqual({ count: 1, own: 0 });
    await wants(OUT);
    expect(kernelHas()).toBe(OUT);
    expect(await victim.ask('theirs')).toBe(`${tells}`);
    await wants(NOTHING);
    expect(await victim.ask('theirs')).toBe('nothing');
    expect(kernelHas()).toBe(NOTHING);
  });

  it('are settled before a fork, and changed at once from then on', async (context) => {
    await started(context, 'alone');
    expect((await attached(context)).sets).toEqual({ count: 1, own: 1 });
    await wants(OUT);
    expect(kernelHas()).toBe(IN);
    expect(await victim.ask('fork')).toBe('done');
    expect(kernelHas()).toBe(OUT);
    expect(await victim.ask('theirs')).toBe(`${OUT}`);
    await wants(IN);
    expect(kernelHas()).toBe(IN);
    expect(await victim.ask('theirs')).toBe('nothing');
  });

  it('are changed at once where the kernel does not tell who has them', async (context) => {
    await started(context, 'alone');
    const prefix = ['setpriv', '--bounding-set=-bpf,-perfmon,-sys_admin'];
    expect((await attached(context, prefix)).sets).toEqual({
      unclear: expect.stringContaining('Operation not permitted'),
    });
    await wants(OUT);
    expect(kernelHas()).toBe(OUT);
  });
});
