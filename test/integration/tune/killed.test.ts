import { readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { applyPlan } from '../../../src/services/tune/apply.js';
import { tuneHistory } from '../../../src/services/tune/history.js';
import { revertEntry } from '../../../src/services/tune/revert.js';
import { rowOf, type TuneHost, tuneHost, tuningUnavailable } from '../../support/tuning.js';

describe.skipIf(tuningUnavailable())('a change that is cut off', () => {
  let host: TuneHost;
  beforeEach(() => {
    host = tuneHost();
  });
  afterEach(() => host.remove());

  // A value of one number, one that spreads to other keys, a driver that changes others along, a file of an interface.
  const rows = () => [
    rowOf('net.core.somaxconn', host.sysctl('net.core.somaxconn'), '7777'),
    rowOf('net.ipv4.conf.default.rp_filter', host.sysctl('net.ipv4.conf.default.rp_filter'), '2'),
    rowOf('ethtool:v0:features.tx-checksum-ip-generic', 'on', 'off'),
    rowOf('/sys/class/net/v0/queues/rx-0/rps_cpus', '0', '1'),
  ];
  const state = async () => ({
    sysctls: await host.sysctls(),
    links: host.sh('ethtool -k v0; cat /sys/class/net/v0/queues/*/rps_cpus'),
  });
  const plan = () => ({ profile: 'general' as const, rows: rows() });
  const killAt = (step: number) => ({ SOCKDOC_TUNE_KILL_AT: String(step) });

  it('is taken back after SIGKILL at every step', async () => {
    const before = await state();
    const states = new Set<string | undefined>();
    for (let step = 1; ; step++) {
      const { signal, change } = await host.apply(rows(), {}, killAt(step));
      if (signal === undefined) {
        expect(change.applied).toHaveLength(rows().length);
        expect(step).toBeGreaterThan(6 * rows().length);
      } else expect([step, signal]).toEqual([step, 'SIGKILL']);
      states.add(tuneHistory().entries[0]?.state);
      expect([step, (await revertEntry()).kept]).toEqual([step, []]);
      expect(await state()).toEqual(before);
      if (signal === undefined) break;
    }
    expect(states).toEqual(new Set([undefined, 'unfinished', 'applied']));
  }, 600_000);

  it('is taken back by a second revert after SIGKILL at every step of the first', async () => {
    const before = await state();
    for (let step = 1; ; step++) {
      expect((await applyPlan(plan(), { netns: host.netns })).applied).toHaveLength(rows().length);
      const { signal } = await host.sockdoc(['tune', 'revert'], killAt(step));
      expect([step, (await revertEntry()).kept]).toEqual([step, []]);
      expect(await state()).toEqual(before);
      if (signal === undefined) break;
      expect(signal).toBe('SIGKILL');
    }
  }, 600_000);

  it('keeps other changes away until it is taken back', async () => {
    await host.apply(rows(), {}, killAt(8));
    const other = { profile: 'general' as const, rows: [rowOf('net.ipv4.tcp_sack', '1', '0')] };
    await expect(applyPlan(other, { netns: host.netns })).rejects.toThrow('was cut off before its end');
    expect(host.sysctl('net.ipv4.tcp_sack')).toBe('1');
    await revertEntry();
    expect((await applyPlan(other, { netns: host.netns })).applied).toHaveLength(1);
  });

  it('is taken back as far as a journal that is cut short tells, and no further', async () => {
    const folder = join(host.state, 'tune');
    const journal = () => join(folder, readdirSync(folder).find((name) => name.endsWith('.journal')) as string);
    const before = await state();
    await applyPlan(plan(), { netns: host.netns });
    const changed = await state();
    const lengths = lengthsOf(readFileSync(journal()));
    const headerEnd = readFileSync(journal()).indexOf('\n');
    for (const length of lengths) {
      // Journals of equal changes differ in times and ids only, which are equally long.
      truncateSync(journal(), length);
      const reverted = await revertEntry();
      if (length < headerEnd) {
        // Nothing is known of it: nothing is touched, and it is said.
        expect([length, reverted.id, tuneHistory().entries[0]?.state]).toEqual([length, null, 'damaged']);
        expect(await state()).toEqual(changed);
      } else {
        expect([length, reverted.kept]).toEqual([length, []]);
        expect(await state()).toEqual(before);
        rmSync(journal());
        expect((await applyPlan(plan(), { netns: host.netns })).applied).toHaveLength(4);
      }
    }
  }, 300_000);
});

/** Of each line from the last to the first: all of it, all but its end, half of it, its digest, its first byte, nothing. */
function lengthsOf(whole: Buffer): number[] {
  const lengths: number[] = [];
  for (let at = 0; at < whole.length; ) {
    const end = whole.indexOf('\n', at) + 1;
    lengths.push(at, at + 1, at + 16, Math.floor((at + end) / 2), end - 2, end - 1);
    at = end;
  }
  return [...lengths, whole.length].toReversed();
}
