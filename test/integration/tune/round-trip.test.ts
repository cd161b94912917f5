import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyPlan } from '../../../src/services/tune/apply.js';
import { revertEntry } from '../../../src/services/tune/revert.js';
import { verifyEntry } from '../../../src/services/tune/verify.js';
import { rowOf, type TuneHost, tuneHost, tuningUnavailable } from '../../support/tuning.js';

const number = (min: number, max: number) => fc.integer({ min, max }).map(String);
const word = (...words: string[]) => fc.constantFrom(...words);
const triple = (min: number, max: number) =>
  fc
    .tuple(fc.integer({ min, max }), fc.integer({ min, max }), fc.integer({ min, max }))
    .map((three) => three.toSorted((a, b) => a - b).join(' '));

/** Keys that tune may touch in a network namespace, with values that the kernel takes. */
const KEYS: Readonly<Record<string, fc.Arbitrary<string>>> = {
  'net.core.somaxconn': number(0, 2 ** 31 - 1),
  'net.core.optmem_max': number(0, 2 ** 31 - 1),
  'net.core.rps_default_mask': word('0', '1', '2', '3'),
  'net.ipv4.tcp_rmem': triple(1, 2 ** 31 - 1),
  'net.ipv4.tcp_wmem': triple(1, 2 ** 31 - 1),
  'net.ipv4.tcp_max_syn_backlog': number(0, 2 ** 31 - 1),
  'net.ipv4.tcp_max_tw_buckets': number(0, 2 ** 31 - 1),
  'net.ipv4.tcp_tw_reuse': word('0', '1', '2'),
  'net.ipv4.tcp_timestamps': word('0', '1', '2'),
  'net.ipv4.tcp_sack': word('0', '1'),
  'net.ipv4.tcp_window_scaling': word('0', '1'),
  'net.ipv4.tcp_moderate_rcvbuf': word('0', '1'),
  'net.ipv4.tcp_slow_start_after_idle': word('0', '1'),
  'net.ipv4.tcp_mtu_probing': word('0', '1', '2'),
  'net.ipv4.tcp_notsent_lowat': number(0, 2 ** 32 - 1),
  'net.ipv4.tcp_keepalive_time': number(1, 32767),
  'net.ipv4.tcp_keepalive_intvl': number(1, 32767),
  'net.ipv4.tcp_keepalive_probes': number(1, 127),
  'net.ipv4.tcp_fastopen': number(0, 1027),
  'net.ipv4.tcp_syncookies': word('0', '1', '2'),
  'net.ipv4.tcp_abort_on_overflow': word('0', '1'),
  'net.ipv4.tcp_ecn': word('0', '1', '2'),
  'net.ipv4.tcp_congestion_control': word(
    ...readFileSync('/proc/sys/net/ipv4/tcp_allowed_congestion_control', 'utf8').trim().split(' '),
  ),
  'net.ipv4.tcp_limit_output_bytes': number(0, 2 ** 31 - 1),
  'net.ipv4.tcp_autocorking': word('0', '1'),
  'net.ipv4.udp_rmem_min': number(1, 2 ** 31 - 1),
  'net.ipv4.udp_wmem_min': number(1, 2 ** 31 - 1),
  // Above the ports that need a privilege (ip_unprivileged_port_start), which the kernel checks.
  'net.ipv4.ip_local_port_range': fc
    .tuple(fc.integer({ min: 10_000, max: 30_000 }), fc.integer({ min: 30_001, max: 65_535 }))
    .map((range) => range.join(' ')),
  'net.ipv4.ip_local_reserved_ports': word('', '8080', '8080,9000-9010', '40000-50000'),
  'net.ipv4.ip_unprivileged_port_start': number(0, 9999),
  'net.ipv4.conf.default.rp_filter': word('0', '1', '2'),
  'net.ipv4.conf.all.rp_filter': word('0', '1', '2'),
  'net.ipv4.conf.v0.rp_filter': word('0', '1', '2'),
  'net.ipv4.neigh.default.unres_qlen_bytes': number(0, 2 ** 20),
  'net.netfilter.nf_conntrack_tcp_timeout_established': number(1, 432_000),
  'net.unix.max_dgram_qlen': number(0, 10_000),
  'net.mptcp.enabled': word('0', '1'),
};

const fileOf = (key: string) => key.replaceAll('.', '/').replace(/^net\//, '');
const quoted = (value: string) => `'${value}'`;

describe.skipIf(tuningUnavailable())('a change and its undoing', () => {
  let host: TuneHost;
  beforeAll(() => {
    host = tuneHost();
  });
  afterAll(() => host.remove());

  const bytesOf = (text: string) => Buffer.from(text, 'hex').toString().trim().replace(/\s+/g, ' ');

  it('gives back every byte of every key, from any values to any values', async () => {
    const found = await host.sysctls();
    const there = Object.keys(KEYS).filter((key) => fileOf(key) in found);
    expect(there.length).toBeGreaterThan(20);
    const change = fc
      .uniqueArray(fc.constantFrom(...there), { minLength: 1, maxLength: 10 })
      .chain((keys) =>
        fc.tuple(...keys.map((key) => fc.record({ key: fc.constant(key), from: value(key), to: value(key) }))),
      );
    await fc.assert(
      fc.asyncProperty(change, async (settings) => {
        host.sh(settings.map(({ key, from }) => `echo ${quoted(from)} > /proc/sys/net/${fileOf(key)}`).join('\n'));
        const before = await host.sysctls();
        const now = (key: string) => bytesOf(before[fileOf(key)] as string);
        const rows = settings.map(({ key, to }) => rowOf(key, now(key), to));
        const { applied, skipped, failed } = await applyPlan({ profile: 'general', rows }, { netns: host.netns });
        expect(failed).toBeUndefined();
        expect(skipped.every(({ reason }) => reason === 'it is so already')).toBe(true);
        const during = await host.sysctls();
        const touched = new Set(applied.flatMap(({ key, coupled = [] }) => [key, ...coupled.map((one) => one.key)]));
        for (const { key, to } of applied) expect([key, bytesOf(during[fileOf(key)] as string)]).toEqual([key, to]);
        for (const [file, bytes] of Object.entries(during))
          if (![...touched].some((key) => fileOf(key) === file)) expect([file, bytes]).toEqual([file, before[file]]);
        if (applied.length > 0) {
          expect((await verifyEntry()).ok).toBe(true);
          expect((await revertEntry()).kept).toEqual([]);
        }
        expect(await host.sysctls()).toEqual(before);
      }),
      { numRuns: 12 },
    );
  }, 300_000);

  const value = (key: string) => KEYS[key] as fc.Arbitrary<string>;
});
