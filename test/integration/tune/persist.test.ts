import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RULE_FILE } from '../../../src/services/tune/persist/rule.js';
import { SYSCTL_FILE } from '../../../src/services/tune/persist/sysctl-file.js';
import { UNIT_FILE } from '../../../src/services/tune/persist/unit.js';
import { workFolder } from '../../support/cli.js';
import { inPrivate } from '../../support/private.js';

const RUNNER = fileURLToPath(new URL('../../support/persist-steps.mjs', import.meta.url));
const HUGE = '/sys/kernel/mm/transparent_hugepage/enabled';
const step = (key: string, value: string) => ({ row: { key }, before: {}, after: { [key]: value } });

describe.skipIf(process.getuid?.() !== 0)('files that make a change last (in a mount namespace of their own)', () => {
  let folder: ReturnType<typeof workFolder>;
  beforeAll(() => {
    folder = workFolder();
  });
  afterAll(() => folder.remove());

  const persist = async (steps: object[], script: string) => {
    const file = folder.file('steps.json', JSON.stringify(steps));
    // Changes of /etc go to memory, and are gone with the namespace.
    const own = `layers='${folder.path}/layers'; mkdir -p $layers; mount -t tmpfs none $layers; mkdir $layers/up $layers/work
mount -t overlay -o lowerdir=/etc,upperdir=$layers/up,workdir=$layers/work overlay /etc
export SOCKDOC_STATE_DIR='${folder.path}/state'`;
    return JSON.parse(
      await inPrivate(['--mount'], `${own}\n${script}\nexec '${process.execPath}' '${RUNNER}' "$@"`, [file]),
    );
  };

  it('are written whole, readable by all, and gone after the undoing', async () => {
    const { persisted, notPersisted, texts, modes, restored, kept, left } = await persist(
      [
        step('net.ipv4.tcp_rmem', '4096 131072 67108864'),
        step('/sys/class/net/lo/gro_flush_timeout', '20000'),
        step(HUGE, 'madvise'),
        step('limit:1:nofile', '1024:4096'),
        step('/proc/irq/9/smp_affinity_list', '0'),
      ],
      '',
    );
    expect(texts[SYSCTL_FILE]).toContain('net.ipv4.tcp_rmem = 4096 131072 67108864\n');
    expect(texts[UNIT_FILE]).toContain('echo madvise > /sys/kernel/mm/transparent_hugepage/enabled');
    expect(texts[RULE_FILE]).toContain(`RUN+="/bin/sh -c 'echo 20000 > /sys/class/net/lo/gro_flush_timeout'"`);
    expect(Object.keys(texts)).toHaveLength(4);
    expect([modes[SYSCTL_FILE], modes[RULE_FILE], modes[UNIT_FILE]]).toEqual(['644', '644', '644']);
    expect(persisted.map(({ keys }: { keys: string[] }) => keys)).toEqual([
      ['net.ipv4.tcp_rmem'],
      ['/sys/class/net/lo/gro_flush_timeout'],
      [HUGE],
    ]);
    expect(notPersisted.map(({ key }: { key: string }) => key)).toEqual([
      'limit:1:nofile',
      '/proc/irq/9/smp_affinity_list',
    ]);
    expect([restored.length > 0, kept, left]).toEqual([true, [], []]);
  });

  it('name the file that is applied later, and leave those before it unsaid', async () => {
    const { persisted, left } = await persist(
      [step('net.core.somaxconn', '8192'), step('vm.swappiness', '10')],
      `echo 'vm.swappiness = 60' > /etc/sysctl.d/10-early.conf; echo 'net.core.somaxconn = 128' > /etc/sysctl.d/zz-late.conf`,
    );
    expect(persisted[0].overridden).toEqual([
      { key: 'net.core.somaxconn', by: '/etc/sysctl.d/zz-late.conf:1', value: '128' },
    ]);
    expect(left).toEqual([]);
  });

  it.skipIf(!existsSync('/usr/bin/systemd-analyze'))('are units that systemd takes', async () => {
    const { texts } = await persist([step(HUGE, 'madvise')], '');
    const unit = folder.file('sockdoc-tune.service', texts[UNIT_FILE]);
    expect(
      await inPrivate(['--mount'], 'systemd-analyze verify --man=no "$1" 2>&1 | grep sockdoc-tune || true', [unit]),
    ).toBe('');
  });
});
