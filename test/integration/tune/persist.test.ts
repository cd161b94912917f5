import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { workFolder } from '../../support/cli.js';
import { inPrivate } from '../../support/private.js';

const RUNNER = fileURLToPath(new URL('../../support/persist-steps.mjs', import.meta.url));
const UNIT = '/etc/systemd/system/sockdoc-tune.service';
const OURS = '/etc/sysctl.d/99-zz-sockdoc.conf';
const step = (key: string, kind: string, value: string) => ({
  row: { key, kind },
  before: {},
  after: { [key]: value },
});

describe.skipIf(process.getuid?.() !== 0)('files that make a change last (in a mount namespace of their own)', () => {
  let folder: ReturnType<typeof workFolder>;
  beforeAll(() => {
    folder = workFolder();
  });
  afterAll(() => folder.remove());

  const persist = async (steps: object[], script: string) => {
    const file = folder.file('steps.json', JSON.stringify(steps));
    const own = `for f in /etc/sysctl.d /etc/systemd/system; do mkdir -p $f; mount -t tmpfs none $f; done
export SOCKDOC_STATE_DIR='${folder.path}/state'`;
    return JSON.parse(
      await inPrivate(['--mount'], `${own}\n${script}\nexec '${process.execPath}' '${RUNNER}' "$@"`, [file]),
    );
  };

  it('are written whole, readable by all, and gone after the undoing', async () => {
    const { persisted, texts, modes, restored, kept, left } = await persist(
      [
        step('net.ipv4.tcp_rmem', 'sysctl', '4096 131072 67108864'),
        step('/sys/kernel/mm/transparent_hugepage/enabled', 'sysfs', 'madvise'),
        step('limit:1:nofile', 'limit', '1024:4096'),
      ],
      '',
    );
    expect(texts[OURS]).toContain('net.ipv4.tcp_rmem = 4096 131072 67108864\n');
    expect(texts[UNIT]).toContain('echo madvise > /sys/kernel/mm/transparent_hugepage/enabled');
    expect(Object.keys(texts)).toHaveLength(3);
    expect([modes[OURS], modes[UNIT]]).toEqual(['644', '644']);
    expect(persisted.map(({ keys }: { keys: string[] }) => keys)).toEqual([
      ['net.ipv4.tcp_rmem'],
      ['/sys/kernel/mm/transparent_hugepage/enabled'],
    ]);
    expect([restored.length > 0, kept, left]).toEqual([true, [], []]);
  });

  it('name the file that is applied later, and leave those before it unsaid', async () => {
    const { persisted, left } = await persist(
      [step('net.core.somaxconn', 'sysctl', '8192'), step('vm.swappiness', 'sysctl', '10')],
      `echo 'vm.swappiness = 60' > /etc/sysctl.d/10-early.conf; echo 'net.core.somaxconn = 128' > /etc/sysctl.d/zz-late.conf`,
    );
    expect(persisted[0].overridden).toEqual([
      { key: 'net.core.somaxconn', by: '/etc/sysctl.d/zz-late.conf:1', value: '128' },
    ]);
    expect(left).toEqual([]);
  });

  it.skipIf(!existsSync('/usr/bin/systemd-analyze'))('are units that systemd takes', async () => {
    const { texts } = await persist([step('ethtool:lo:features.rx-gro', 'ethtool', 'off')], '');
    const unit = folder.file('sockdoc-tune.service', texts[UNIT]);
    expect(
      await inPrivate(['--mount'], 'systemd-analyze verify --man=no "$1" 2>&1 | grep sockdoc-tune || true', [unit]),
    ).toBe('');
  });
});
