import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hasLibsd } from '../../support/libsd.js';
import { poll } from '../../support/poll.js';
import { state, Talking, together } from '../../support/talking.js';
import type { Victim } from '../../support/victim.js';

/** Of native/abi/reasons.h. */
const [DENIED, NO_MEMORY] = [23, 27];
/** More than a program and libsd take of address space, less than that and the slab of two rings of 4 MiB. */
const SPACE = 96 << 20;

const sharedBy = ({ pid }: Victim) => readFileSync(`/proc/${pid}/maps`, 'utf8').includes('memfd:sockdoc-slab');

// Real bytes, which come whole whatever carries them.
describe.runIf(hasLibsd)('connections stay on the kernel, and share nothing', () => {
  let talking: Talking;
  beforeEach(() => {
    talking = new Talking();
  });
  afterEach(() => talking.remove());

  const policed = async (text: string) => {
    const policy = talking.bench.policy('policy');
    writeFileSync(policy, text);
    await talking.bench.running(['--policy', policy]);
  };

  /** Until somebody has said why. */
  async function refused(ends: [Victim, Victim], end: 0 | 1): Promise<number> {
    return await poll('there is a reason', async () => {
      await together(ends, 'both 100', 'both 100');
      const { reason } = await state(ends[end]);
      return reason === DENIED || reason === NO_MEMORY ? reason : undefined;
    });
  }

  it('where the policy denies it', async () => {
    await policed('deny any\n');
    const ends = await talking.pair();
    expect([await refused(ends, 0), await refused(ends, 1)]).toEqual([DENIED, DENIED]);
    await together(ends, 'push 2000000', 'pull 2000000');
    for (const end of ends) {
      expect(sharedBy(end)).toBe(false);
      expect(await state(end)).toMatchObject({ mapped: false, ringSent: 0, ringReceived: 0 });
    }
  });

  it('where there is no memory for it in one of the two when it is about to begin', async () => {
    await policed('limit ring=4M\n');
    const ends = await talking.pair({}, ['prlimit', `--as=${SPACE}`]);
    expect(await refused(ends, 0)).toBe(NO_MEMORY);
    await together(ends, 'push 2000000', 'pull 2000000');
    await together(ends, 'answer 300000', 'say 300000');
    expect(sharedBy(ends[0])).toBe(false);
    expect(await state(ends[0])).toMatchObject({ mapped: false });
    for (const end of ends) expect(await state(end)).toMatchObject({ ringSent: 0, ringReceived: 0 });
  });
});
