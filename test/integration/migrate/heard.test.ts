import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { GapList } from '../../../src/services/diagnose/collecting/gaps.js';
import { heard } from '../../../src/services/migrate/settled.js';
import { hasLibsd } from '../../support/libsd.js';
import { Talking, upgraded } from '../../support/talking.js';

describe.runIf(hasLibsd)('waiting until the monitor has heard of who was left', () => {
  let talking: Talking;
  beforeEach(() => {
    talking = new Talking();
    vi.stubEnv('SOCKDOC_MONITOR', talking.bench.socket);
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await talking.remove();
  });

  it('ends when somebody wants that', async () => {
    await talking.bench.running();
    const ends = await talking.pair();
    await upgraded(ends);
    // It is not true, so that the monitor will never say it.
    const said = ends.map(({ pid }) => ({ pid, comm: 'talk', state: 'detached', named: true }) as const);
    const stopping = new AbortController();
    const pids = ends.map(({ pid }) => pid);
    const waiting = heard(pids, said, new GapList(), stopping.signal);
    stopping.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });
});
