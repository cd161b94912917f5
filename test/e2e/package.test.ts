import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

function unavailable(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root for debootstrap and chroot';
  if (!existsSync('/usr/sbin/debootstrap')) return 'needs debootstrap';
  return undefined;
}

const reason = unavailable();

/** Runs a command in the bare tree, with /proc, /sys and /dev mounted in a mount namespace that ends with it. */
function inTree(tree: string, command: string) {
  const script =
    'mount -t proc proc "$0/proc" && mount --rbind /sys "$0/sys" && mount --rbind /dev "$0/dev" && exec chroot "$0" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root sh -c "$1"';
  return spawnSync('unshare', ['--mount', '--pid', '--fork', 'sh', '-c', script, tree, command], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
}

describe.skipIf(reason)(`the packages in a bare Debian tree${reason ? ` (skipped: ${reason})` : ''}`, () => {
  let tree = '';
  const packageFile = (suffix: string) =>
    join(root, 'out', readdirSync(join(root, 'out')).find((name) => name.endsWith(suffix)) ?? `no ${suffix}`);

  beforeAll(() => {
    rmSync(join(root, 'out'), { recursive: true, force: true });
    execFileSync('npm', ['run', 'package'], { cwd: root, stdio: 'pipe' });
    tree = mkdtempSync(join(tmpdir(), 'sockdoc-bare-'));
    execFileSync('debootstrap', ['--variant=minbase', 'bookworm', tree], { stdio: 'pipe', maxBuffer: 1 << 26 });
  }, 600_000);

  afterAll(() => {
    if (tree) rmSync(tree, { recursive: true, force: true });
  });

  test('there is no Node and no compiler in it', () => {
    expect(inTree(tree, 'command -v node npm g++ cmake; true')).toMatchObject({ stdout: '', status: 0 });
  });

  test('the tarball runs from any folder', () => {
    execFileSync('mkdir', ['-p', `${tree}/opt/some where`]);
    execFileSync('tar', ['-C', `${tree}/opt/some where`, '-xzf', packageFile('.tar.gz')]);
    const run = '"/opt/some where"/sockdoc-*/bin/sockdoc check --json --window 0 --fail-on never';
    const checked = inTree(tree, run);
    expect(checked.status, checked.stderr).toBe(0);
    const document = JSON.parse(checked.stdout);
    expect(document).toMatchObject({ schemaVersion: 1, command: 'check' });
    // The native part really read something: a sysctl of the namespace is there.
    expect(document.results).toContainEqual(expect.objectContaining({ id: 'timestamps', status: 'pass' }));
  });

  test('the .deb installs, runs, and leaves nothing behind', () => {
    execFileSync('cp', [packageFile('.deb'), `${tree}/tmp/sockdoc.deb`]);
    const check = 'sockdoc check --json --window 0 --fail-on never > /tmp/check.json';
    // The library for other programs is loaded by one without a complaint.
    const libsd = '/usr/lib/sockdoc/lib/sockdoc/build/release/libsd.so';
    const preload = `test "$(LD_PRELOAD=${libsd} grep -c ${libsd} /proc/self/maps 2>&1)" -gt 1`;
    const page = 'test -s /usr/share/man/man1/sockdoc.1';
    const monitor =
      'test -s /usr/lib/systemd/system/sockdoc-monitor.service && sockdoc monitor start && sockdoc monitor stop';
    const installed = inTree(
      tree,
      `dpkg -i /tmp/sockdoc.deb && ${page} && ${monitor} && sockdoc --version && ${check} && ${preload} && dpkg -r sockdoc`,
    );
    expect(installed.status, installed.stderr).toBe(0);
    expect(installed.stdout).toMatch(/sockdoc\/\d+\.\d+\.\d+ linux-x64 node-v/);
    expect(existsSync(`${tree}/usr/lib/sockdoc`)).toBe(false);
    expect(existsSync(`${tree}/usr/bin/sockdoc`)).toBe(false);
  });
});
