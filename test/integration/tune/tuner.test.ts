import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { BIN } from '../../support/cli.js';
import { requireRoot, requireTool } from '../../support/live.js';
import { inPrivate } from '../../support/private.js';

// tuned with one profile, in a network namespace and with folders of its own; $1 is where the answers go, and where its
// package is unpacked.
const SCRIPT = `
ip link set lo up
for folder in usr etc; do mount -t overlay -o "lowerdir=$1/package/$folder:/$folder" overlay /$folder; done
for folder in /etc/tuned /var/log /run /var/lib; do mount -t tmpfs none $folder; done
mkdir -p /etc/tuned/for-a-test /run/tuned /var/log/tuned
printf '[sysctl]\\nnet.ipv4.tcp_timestamps=0\\n' > /etc/tuned/for-a-test/tuned.conf
printf 'daemon=1\\ndynamic_tuning=0\\nreapply_sysctl=0\\nsleep_interval=1\\n' > /etc/tuned/tuned-main.conf
tuned --no-dbus --no-socket --profile for-a-test > "$1/tuned.log" 2>&1 &
tuned=$!
trap 'kill $tuned 2>/dev/null || true' EXIT
timestamps() { cat /proc/sys/net/ipv4/tcp_timestamps; }
for i in $(seq 300); do [ "$(timestamps)" = 0 ] && break; sleep 0.1; done
answer() {
  status=0
  "$2" "$3" tune --json --window 0 $4 > "$1/$5.json" || status=$?
  echo "$status $(timestamps)" > "$1/$5"
}
echo $tuned > "$1/pid"
answer "$1" "$2" "$3" "--yes" refused
answer "$1" "$2" "$3" "--yes --override" overridden
"$2" "$3" tune revert --json > "$1/revert.json"
timestamps > "$1/reverted"
kill $tuned
wait $tuned || true
answer "$1" "$2" "$3" "--dry-run" without
`;

test('what tuned sets is left to it while it runs, unless it is overridden', { timeout: 120_000 }, async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'apt-get', 'dpkg', 'python3');
  const folder = mkdtempSync(join(tmpdir(), 'sockdoc-tuned-'));
  const said = (name: string) => readFileSync(join(folder, name), 'utf8').trim();
  const json = (name: string) => JSON.parse(said(`${name}.json`));
  try {
    // Not installed: it would begin to tune this host, at the latest when that starts again.
    const got = await execa('apt-get', ['download', '-qq', 'tuned'], { cwd: folder, reject: false });
    if (got.failed) ctx.skip(`needs the package tuned: ${got.stderr}`);
    await execa('sh', ['-c', 'dpkg -x tuned_*.deb package'], { cwd: folder });
    await inPrivate(['--mount', '--net'], SCRIPT, [folder, process.execPath, BIN]);
    const pid = Number(said('pid'));
    expect(said('refused')).toBe('4 0');
    expect(json('refused').error).toMatchObject({
      kind: 'not-possible',
      message: `running programs own net.ipv4.tcp_timestamps (tuned, pid ${pid}): nothing was changed`,
      next: expect.stringContaining('--override'),
    });

    expect(said('overridden')).toBe('0 1');
    const [row] = json('overridden').plan;
    expect(row).toMatchObject({
      key: 'net.ipv4.tcp_timestamps',
      owner: { name: 'tuned', running: true, pid, detail: 'active profile for-a-test' },
    });
    expect([json('revert').reverted, said('reverted')]).toMatchObject([[{ key: row.key, from: '1', to: '0' }], '0']);

    // Gone, it takes its settings back, and owns nothing any more.
    expect([said('without'), json('without').plan]).toEqual(['0 1', []]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
