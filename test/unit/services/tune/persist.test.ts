import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSysctlFile } from '../../../../src/probes/sysctl-files.js';
import { withoutChange } from '../../../../src/services/tune/persist/lines.js';
import { whyNot } from '../../../../src/services/tune/persist/places.js';
import { isEmptyRule, isPlain, ruleLine, withRules } from '../../../../src/services/tune/persist/rule.js';
import { isEmptySysctlFile, withSettings } from '../../../../src/services/tune/persist/sysctl-file.js';
import { isEmptyUnit, withCommands } from '../../../../src/services/tune/persist/unit.js';
import { shellCommand } from '../../../../src/services/tune/shell.js';

const key = fc.constantFrom(
  'net.core.somaxconn',
  'net.ipv4.tcp_rmem',
  'net.ipv4.conf.eth0/100.rp_filter',
  'vm.swappiness',
);
const settings = fc.uniqueArray(fc.record({ key, value: fc.constantFrom('0', '1', '4096 131072 33554432') }), {
  selector: (one) => one.key,
  minLength: 1,
});

describe('the file in sysctl.d', () => {
  it('holds what was set, as the boot tools read it', () => {
    fc.assert(
      fc.property(settings, settings, (first, second) => {
        const text = withSettings(withSettings(null, first), second);
        const read = Object.fromEntries(parseSysctlFile('f', text).map((line) => [line.key, line.value]));
        expect(read).toEqual(Object.fromEntries([...first, ...second].map(({ key, value }) => [key, value])));
      }),
    );
  });

  it('is what it was when changes are taken back, the newest first', () => {
    fc.assert(
      fc.property(settings, settings, (first, second) => {
        const one = withSettings(null, first);
        const two = withSettings(one, second);
        expect(withoutChange(two, one, two)).toBe(one);
        expect(isEmptySysctlFile(withoutChange(one, null, one))).toBe(true);
      }),
    );
  });

  it('keeps what somebody else wrote into it', () => {
    const ours = withSettings(null, [{ key: 'net.core.somaxconn', value: '8192' }]);
    const edited = `${ours}# mine\nvm.swappiness = 10\n`;
    const rest = withoutChange(edited, null, ours);
    expect(rest).toContain('# mine\nvm.swappiness = 10\n');
    expect(rest).not.toContain('somaxconn');
  });

  it('gives an earlier change its line back when it was edited between', () => {
    const one = withSettings(null, [{ key: 'net.core.somaxconn', value: '5000' }]);
    const two = withSettings(one, [{ key: 'net.core.somaxconn', value: '6000' }]);
    expect(withoutChange(`${two}vm.swappiness = 10\n`, one, two)).toMatch(
      /swappiness = 10\nnet.core.somaxconn = 5000\n$/,
    );
  });
});

describe('the unit', () => {
  const HUGE = '/sys/kernel/mm/transparent_hugepage/enabled';

  it('runs one command for each setting, and replaces that of the same setting', () => {
    const first = withCommands(null, [
      { key: HUGE, value: 'madvise' },
      { key: '/sys/x', value: '1' },
    ]);
    const second = withCommands(first, [{ key: '/sys/x', value: '2' }]);
    expect(second.split('\n').filter((line) => line.startsWith('ExecStart'))).toEqual([
      `ExecStart=-/bin/sh -c "echo madvise > ${HUGE}"`,
      'ExecStart=-/bin/sh -c "echo 2 > /sys/x"',
    ]);
    expect(second.indexOf('[Service]')).toBeLessThan(second.indexOf('ExecStart'));
    expect(isEmptyUnit(withoutChange(second, null, second))).toBe(true);
  });

  it('leaves nothing in a value to the shell or to systemd', () => {
    expect(shellCommand('/sys/x', '$(reboot) `x` \'y\' "z"')).toBe(`echo '$(reboot) \`x\` '\\''y'\\'' "z"' > /sys/x`);
    const unit = withCommands(null, [{ key: '/sys/x', value: '50% $HOME' }]);
    expect(unit).toContain(`ExecStart=-/bin/sh -c "echo '50%% $$HOME' > /sys/x"`);
  });
});

describe('the rule of udev', () => {
  const programs = { ethtool: '/usr/sbin/ethtool', systemdSysctl: '/lib/systemd/systemd-sysctl' };
  const linesOf = (text: string) => text.split('\n').filter((line) => line.includes('RUN+='));

  it('has a line for each setting of an interface, replaces that of the same one, and makes queues before it sets them', () => {
    const first = withRules(
      null,
      [
        { key: 'ethtool:eth0:rings.rx', value: '2048' },
        { key: '/sys/class/net/eth0/queues/rx-3/rps_cpus', value: '3' },
        { key: 'ethtool:eth0:coalescing.adaptiveRx', value: 'off' },
      ],
      programs,
    );
    const second = withRules(
      first,
      [
        { key: 'ethtool:eth0:channels.combined', value: '4' },
        { key: 'ethtool:eth0:rings.rx', value: '4096' },
        { key: '/sys/class/net/eth0/queues/rx-3/rps_cpus', value: 'f' },
        { key: 'net.netfilter.nf_conntrack_max', value: '524288' },
        { key: 'net.ipv4.conf.eth0/100.rp_filter', value: '2' },
        { key: 'net.ipv4.conf.all.rp_filter', value: '2' },
      ],
      programs,
    );
    const on = 'ENV{.SOCKDOC_LINK}=="eth0", RUN+=';
    expect(linesOf(second)).toEqual([
      `${on}"/usr/sbin/ethtool -L eth0 combined 4"`,
      `${on}"/usr/sbin/ethtool -G eth0 rx 4096"`,
      `${on}"/bin/sh -c 'echo f > /sys/class/net/eth0/queues/rx-3/rps_cpus'"`,
      `${on}"/usr/sbin/ethtool -C eth0 adaptive-rx off"`,
      'SUBSYSTEM=="module", ACTION=="add", KERNEL=="nf_conntrack", RUN+="/lib/systemd/systemd-sysctl --prefix=/net/netfilter/nf_conntrack_max"',
      'ENV{.SOCKDOC_LINK}=="eth0.100", RUN+="/lib/systemd/systemd-sysctl --prefix=/net/ipv4/conf/eth0.100/rp_filter"',
    ]);
    expect(isEmptyRule(withoutChange(second, null, second))).toBe(true);
    expect(linesOf(withoutChange(`${second}# mine\n`, first, second)).toSorted()).toEqual(linesOf(first).toSorted());
  });

  it.each([
    ['eth0|wlan0', '1'],
    ['eth*', '1'],
    ["eth'0", '1'],
    ['eth0', '$(reboot)'],
    ['eth0', 'a b'],
  ])('is not for %s set to %s, which udev or a shell would read otherwise', (link, value) => {
    expect(isPlain({ key: `ethtool:${link}:rings.rx`, value })).toBe(false);
  });

  it('is not for what cannot be set at a start, and that is said', () => {
    expect(whyNot({ key: '/proc/irq/24/smp_affinity_list', value: '1' })).toContain('other numbers');
    expect(whyNot({ key: 'limit:42:nofile', value: '1024:4096' })).toContain('LimitNOFILE=');
    expect(ruleLine({ key: 'ethtool:eth0:rings.rx', value: '1' }, {})).toBeUndefined();
    expect(ruleLine({ key: 'net.core.somaxconn', value: '1' }, programs)).toBeUndefined();
  });
});
