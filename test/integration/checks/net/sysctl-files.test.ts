import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { requireRoot, runCheck } from '../../../support/live.js';

const KEY = 'net.core.somaxconn';
const live = (key: string) => readFileSync(`/proc/sys/${key.replaceAll('.', '/')}`, 'utf8').trim();

/** What a host's packages say, and whether anybody applied it, differs: only the files of the test are to be seen. */
const OTHERS = ['/run/sysctl.d', '/usr/local/lib/sysctl.d', '/usr/lib/sysctl.d', '/lib/sysctl.d'];

/** Runs the command with files of its own in place of all that set sysctls, in a mount namespace of its own. */
async function withFiles(id: string, files: Record<string, string>, conf = '') {
  const folder = mkdtempSync(join(tmpdir(), 'sockdoc-sysctl-'));
  try {
    mkdirSync(join(folder, 'sysctl.d'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'sysctl.d', name), text);
    writeFileSync(join(folder, 'sysctl.conf'), conf);
    mkdirSync(join(folder, 'none'));
    const mounts = ['mount --bind "$0/sysctl.d" /etc/sysctl.d', hide('sysctl.conf', '-f', '/etc/sysctl.conf')];
    mounts.push(...OTHERS.map((other) => hide('none', '-d', other)));
    const prefix = ['unshare', '--mount', 'sh', '-c', `${mounts.join(' && ')} && exec "$@"`, folder];
    return (await runCheck(['--only', id, '--window', '0'], { prefix })).of(id);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const hide = (by: string, kind: string, path: string) =>
  `{ [ ! ${kind} ${path} ] || mount --bind "$0/${by}" ${path}; }`;

test('one key in two files with different values', async (ctx) => {
  requireRoot(ctx);
  const now = live(KEY);
  const [result, ...others] = await withFiles('sysctl-conflict', {
    '10-a.conf': `# ours\n${KEY} = ${Number(now) + 1}\n`,
    '20-b.conf': `${KEY}=${now}\n`,
  });
  expect(others).toEqual([]);
  expect(result).toMatchObject({ status: 'warn', subject: { key: KEY, file: '/etc/sysctl.d/20-b.conf' } });
  expect(result?.summary).toContain(
    `${now} in /etc/sysctl.d/20-b.conf:1 wins over ${Number(now) + 1} in /etc/sysctl.d/10-a.conf:2`,
  );
  expect(result?.remedy?.commands).toEqual(["sed -i --follow-symlinks '2s|^|# |' /etc/sysctl.d/10-a.conf"]);
});

test('a live value that the files do not say', async (ctx) => {
  requireRoot(ctx);
  const now = Number(live(KEY));
  const [result] = await withFiles('sysctl-conflict', { '10-a.conf': `${KEY} = ${now + 1000}\n` });
  expect(result).toMatchObject({ status: 'warn', subject: { key: KEY, file: '/etc/sysctl.d/10-a.conf' } });
  expect(result?.summary).toContain(`${now} is in force`);
  expect(result?.evidence).toContainEqual(
    expect.objectContaining({ source: '/proc/sys/net/core/somaxconn', value: String(now) }),
  );
  expect(result?.remedy?.tunes).toEqual([{ key: KEY, from: String(now), to: String(now + 1000) }]);
});

test('systemd and procps end with different values', async (ctx) => {
  requireRoot(ctx);
  const now = Number(live(KEY));
  const [result] = await withFiles('sysctl-conflict', { '10-a.conf': `${KEY} = ${now}\n` }, `${KEY} = ${now + 1}\n`);
  expect(result?.status).toBe('warn');
  expect(result?.summary).toContain(`systemd-sysctl ends with ${now}`);
  expect(result?.summary).toContain(`sysctl --system with ${now + 1}`);
});

test('files that agree with each other and with the host pass', async (ctx) => {
  requireRoot(ctx);
  const memory = live('net.ipv4.tcp_rmem');
  const results = await withFiles('sysctl-conflict', {
    '10-a.conf': `${KEY} = ${live(KEY)}\nnet/ipv4/tcp_rmem=${memory.replaceAll('\t', '  ')}\n-net.bridge.bridge-nf-call-iptables = 1\n`,
    '20-b.conf': `${KEY}=${live(KEY)}\nnet.ipv4.conf.*.rp_filter = 1\n; a comment\n`,
  });
  expect(results).toMatchObject([{ status: 'pass' }]);
});

test('dead and foreign keys are reported where they stand, living ones are not', async (ctx) => {
  requireRoot(ctx);
  const results = await withFiles('sysctl-stale', {
    '99-tuning.conf': `${KEY} = 4096\nnet.ipv4.tcp_tw_recycle = 1\n\nnet.ipv4.tcp_timestamps=0\nnet/ipv4/tcp_fack = 1\n`,
  });
  expect(results.map((r) => [r.status, r.subject?.key, r.evidence[0]?.source])).toEqual([
    ['warn', 'net.ipv4.tcp_tw_recycle', '/etc/sysctl.d/99-tuning.conf:2'],
    ['warn', 'net.ipv4.tcp_timestamps', '/etc/sysctl.d/99-tuning.conf:4'],
    ['warn', 'net.ipv4.tcp_fack', '/etc/sysctl.d/99-tuning.conf:5'],
  ]);
  expect(await withFiles('sysctl-stale', { '99-tuning.conf': `${KEY} = 4096\n` })).toMatchObject([{ status: 'pass' }]);
});

test('a congestion control that the kernel does not have', async (ctx) => {
  requireRoot(ctx);
  const key = 'net.ipv4.tcp_congestion_control';
  const [bad] = await withFiles('congestion-control', { '10-cc.conf': `${key} = warpspeed\n` });
  expect(bad).toMatchObject({ status: 'warn', subject: { key, file: '/etc/sysctl.d/10-cc.conf' } });
  expect(bad?.summary).toBe(
    `/etc/sysctl.d/10-cc.conf:1 asks for warpspeed, which is not available; new connections use ${live(key)}`,
  );
  const [, other = 'reno'] = live('net.ipv4.tcp_available_congestion_control').split(' ');
  const [good] = await withFiles('congestion-control', { '10-cc.conf': `${key} = ${other}\n` });
  expect(good?.status).toBe('pass');
});
