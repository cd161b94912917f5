import { expect, test } from 'vitest';
import { type Netns, requireRoot, withNetns } from '../../../support/live.js';

/**
 * Checks of settings that are harmful in themselves, or of no use: the setting is made in a namespace of its own, the
 * remedy is carried out as it is printed, and the finding is gone; its undo brings it back.
 */
const CASES: readonly { id: string; settings: Record<string, string>; status: string; key: string }[] = [
  {
    id: 'abort-on-overflow',
    settings: { 'net.ipv4.tcp_abort_on_overflow': '1' },
    status: 'warn',
    key: 'net.ipv4.tcp_abort_on_overflow',
  },
  { id: 'timestamps', settings: { 'net.ipv4.tcp_timestamps': '0' }, status: 'warn', key: 'net.ipv4.tcp_timestamps' },
  { id: 'tcp-features', settings: { 'net.ipv4.tcp_sack': '0' }, status: 'warn', key: 'net.ipv4.tcp_sack' },
  {
    id: 'tcp-features',
    settings: { 'net.ipv4.tcp_window_scaling': '0' },
    status: 'warn',
    key: 'net.ipv4.tcp_window_scaling',
  },
  {
    id: 'tcp-features',
    settings: { 'net.ipv4.tcp_moderate_rcvbuf': '0' },
    status: 'warn',
    key: 'net.ipv4.tcp_moderate_rcvbuf',
  },
  { id: 'syncookies', settings: { 'net.ipv4.tcp_syncookies': '0' }, status: 'info', key: 'net.ipv4.tcp_syncookies' },
  { id: 'tw-reuse', settings: { 'net.ipv4.tcp_tw_reuse': '1' }, status: 'info', key: 'net.ipv4.tcp_tw_reuse' },
];

const judged = async (ns: Netns, id: string) => (await ns.check(['--only', id, '--window', '100'])).of(id);

for (const { id, settings, status, key } of CASES)
  test(`${id}: ${key} is found, mended by its remedy, and brought back by its undo`, async (ctx) => {
    requireRoot(ctx);
    await withNetns(async (ns) => {
      expect(await judged(ns, id)).toMatchObject([{ status: 'pass' }]);
      for (const [name, value] of Object.entries(settings)) await ns.sysctl(name, value);
      const [bad] = await judged(ns, id);
      expect(bad).toMatchObject({ status, subject: { key } });
      for (const command of bad?.remedy?.commands ?? []) await ns.run('sh', '-c', command);
      expect(await judged(ns, id)).toMatchObject([{ status: 'pass' }]);
      await ns.run('sh', '-c', bad?.remedy?.undo ?? 'false');
      expect(await judged(ns, id)).toMatchObject([{ status, subject: { key } }]);
    });
  });

test('tw-reuse: no effect without timestamps', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    await ns.sysctl('net.ipv4.tcp_tw_reuse', 1);
    await ns.sysctl('net.ipv4.tcp_timestamps', 0);
    expect(await judged(ns, 'tw-reuse')).toMatchObject([
      { status: 'info', summary: expect.stringContaining('no effect') },
    ]);
  });
});
