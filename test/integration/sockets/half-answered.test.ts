import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hasLibsd } from '../../support/libsd.js';
import type { Monitor } from '../../support/monitor.js';
import { poll } from '../../support/poll.js';
import { state, Talking, together, upgraded } from '../../support/talking.js';
import type { Victim } from '../../support/victim.js';

/** Of /proc/PID/stat; nothing when it is gone. */
function stateOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '')[0];
  } catch {
    return undefined;
  }
}

// The two ends are told of their memory one after the other. In between one may use it and the other has never heard of it.
describe.runIf(hasLibsd)('a monitor that tells one end of a connection, and not the other', () => {
  let talking: Talking;
  beforeEach(() => {
    talking = new Talking();
  });
  afterEach(() => talking.remove());

  /** Both ends have asked, one is told: the monitor is in this state from here on. */
  async function halfAnswered(option: string, becomes: string): Promise<{ ends: [Victim, Victim]; monitor: Monitor }> {
    const monitor = await talking.bench.running([option, '2']);
    const ends = await talking.pair();
    await poll('the monitor has told one', async () => {
      await together(ends, 'both 20', 'both 20');
      return (stateOf(monitor.pid) ?? 'gone') === becomes || undefined;
    });
    await together(ends, 'both 20', 'both 20');
    return { ends, monitor };
  }

  /** One end at least has the memory; nobody has put anything there. */
  async function isHalf(ends: [Victim, Victim]): Promise<void> {
    const states = [await state(ends[0]), await state(ends[1])];
    expect(states.filter(({ mapped }) => mapped)).toHaveLength(1);
    for (const end of states) expect(end).toMatchObject({ ringSent: 0, ringReceived: 0 });
  }

  it('and is stopped there, has both on their rings when it goes on', async () => {
    const { ends, monitor } = await halfAnswered('--stop-at', 'T');
    await isHalf(ends);
    await together(ends, 'push 1000000', 'pull 1000000');
    process.kill(monitor.pid, 'SIGCONT');
    await upgraded(ends);
    await together(ends, 'push 1000000', 'pull 1000000');
  });

  it.each([false, true])(
    'and is killed there, leaves both on the kernel with every byte (started again: %s)',
    async (again) => {
      const { ends } = await halfAnswered('--end-at', 'gone');
      await isHalf(ends);
      if (again) await talking.bench.running();
      for (let turn = 0; turn < 20; turn++) {
        await together(ends, 'both 20', 'both 20');
        await together(ends, 'push 300000', 'pull 300000');
        await together(ends, 'pull 300000', 'push 300000');
      }
      const states = [await state(ends[0]), await state(ends[1])];
      const one = states[0]?.ringSent;
      for (const end of states) expect(end).toMatchObject({ ringSent: one, ringReceived: one });
      await together(ends, 'push 1000', 'pull 1000');
      if (!again) return;
      const more = await talking.pair();
      await upgraded(more);
    },
  );
});
