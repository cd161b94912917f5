import { existsSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { type SysctlTool, winner } from '../../../src/checks/sysctl-winner.js';
import type { SysctlFiles } from '../../../src/model/snapshot/index.js';
import { requireRoot, requireTool } from '../../support/live.js';
import { inPrivate, snapshotIn } from '../../support/private.js';

/** Files in conflict, over keys of the network namespace only; nothing of the host's files is seen. */
const FILES = `
mount -t tmpfs none /etc/sysctl.d
mount -t tmpfs none /usr/lib/sysctl.d
mount -t tmpfs none /run
mkdir /run/sysctl.d
cat >/run/sysctl.conf <<X
net.ipv4.tcp_fin_timeout = 31
net.ipv4.tcp_retries1 = 9
X
mount --bind /run/sysctl.conf /etc/sysctl.conf
cat >/usr/lib/sysctl.d/10-base.conf <<X
# the base
net.ipv4.tcp_fin_timeout = 20
net/ipv4/tcp_retries2 = 8
-net.ipv4.no_such_key = 1
net.ipv4.conf.*.arp_announce = 2
net.ipv4.conf.*.accept_source_route = 1
net.ipv4.ip_default_ttl = 70
X
cat >/etc/sysctl.d/10-base.conf <<X
net.ipv4.tcp_fin_timeout=21
net.ipv4.conf.*.arp_announce = 2
-net.ipv4.conf.lo.arp_announce
net.ipv4.conf.all.arp_announce = 1
net.ipv4.conf.all.arp_ignore = 1
-net.ipv4.conf.all.arp_ignore
X
cat >/run/sysctl.d/50-late.conf <<X
net.ipv4.tcp_retries1 = 5
net.ipv4.tcp_syn_retries = 4
; glob after an exact key, with ranges
net.ipv4.conf.l[a-o].log_martians = 1
net.ipv4.conf.al?.arp_filter = 1
X
echo 'net.ipv4.tcp_syn_retries = 3' >/etc/sysctl.d/.hidden.conf
ln -s /dev/null /etc/sysctl.d/60-masked.conf
echo 'net.ipv4.tcp_orphan_retries = 4' >/usr/lib/sysctl.d/60-masked.conf
echo 'net.ipv4.tcp_orphan_retries = 5' >/usr/lib/sysctl.d/60-not-a-conf
cat >/etc/sysctl.d/99-last.conf <<X
net.ipv4.tcp_retries1 = 6
X
`;

const KEYS = [
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_retries1',
  'net.ipv4.tcp_retries2',
  'net.ipv4.tcp_syn_retries',
  'net.ipv4.tcp_orphan_retries',
  'net.ipv4.ip_default_ttl',
  'net.ipv4.conf.all.arp_announce',
  'net.ipv4.conf.all.arp_ignore',
  'net.ipv4.conf.all.arp_filter',
  'net.ipv4.conf.all.accept_source_route',
  'net.ipv4.conf.default.arp_announce',
  'net.ipv4.conf.lo.log_martians',
];

const TOOLS: Record<SysctlTool, string> = { procps: 'sysctl --system', systemd: '/usr/lib/systemd/systemd-sysctl' };
const NAMESPACES = ['--net', '--mount'];

let files: SysctlFiles | undefined;
beforeAll(async () => {
  if (process.geteuid?.() !== 0) return;
  files = (await snapshotIn(NAMESPACES, FILES)).host.sysctlFiles;
});

const valuesAfter = async (tool: string): Promise<Record<string, string>> => {
  const apply = tool === '' ? '' : `${tool} >/dev/null 2>&1 || true`; // a key that is not there is an error to procps
  const printed = await inPrivate(NAMESPACES, `${FILES}\n${apply}\nsysctl ${KEYS.join(' ')}`);
  return Object.fromEntries(printed.split('\n').map((line) => line.split(' = ') as [string, string]));
};

for (const tool of ['procps', 'systemd'] as const) {
  test(`the winner of each key is what ${tool} leaves in the kernel`, async (ctx) => {
    requireRoot(ctx);
    requireTool(ctx, 'unshare', 'sysctl');
    if (tool === 'systemd' && !existsSync(TOOLS.systemd)) ctx.skip('needs systemd-sysctl (package systemd)');
    const before = await valuesAfter('');
    const after = await valuesAfter(TOOLS[tool]);
    const predicted = KEYS.map((key) => [key, winner(files as SysctlFiles, tool, key)?.value ?? before[key]]);
    expect(Object.fromEntries(predicted)).toEqual(after);
    expect(after).not.toEqual(before);
  });
}

test('the two tools are told apart, and what is masked is named', (ctx) => {
  requireRoot(ctx);
  expect(files?.order).toEqual({
    systemd: [
      '/etc/sysctl.d/10-base.conf',
      '/run/sysctl.d/50-late.conf',
      '/etc/sysctl.d/60-masked.conf',
      '/etc/sysctl.d/99-last.conf',
    ],
    procps: [
      '/etc/sysctl.d/.hidden.conf',
      '/etc/sysctl.d/10-base.conf',
      '/run/sysctl.d/50-late.conf',
      '/etc/sysctl.d/60-masked.conf',
      '/etc/sysctl.d/99-last.conf',
      '/etc/sysctl.conf',
    ],
  });
  expect(files?.masked.filter(({ file }) => file.startsWith('/usr/lib'))).toEqual([
    { file: '/usr/lib/sysctl.d/10-base.conf', by: '/etc/sysctl.d/10-base.conf' },
    { file: '/usr/lib/sysctl.d/60-masked.conf', by: '/etc/sysctl.d/60-masked.conf' },
  ]);
});
