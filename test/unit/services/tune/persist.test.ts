import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSysctlFile } from '../../../../src/probes/sysctl-files.js';
import { withoutChange } from '../../../../src/services/tune/persist/lines.js';
import { isEmptySysctlFile, withSettings } from '../../../../src/services/tune/persist/sysctl-file.js';
import { isEmptyUnit, shellCommand, withCommands } from '../../../../src/services/tune/persist/unit.js';

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
  it('runs one command for each setting, and replaces that of the same setting', () => {
    const first = withCommands(null, [
      { key: '/sys/kernel/mm/transparent_hugepage/enabled', value: 'madvise' },
      { key: 'ethtool:eth0:rings.rx', value: '2048' },
    ]);
    const second = withCommands(first, [{ key: 'ethtool:eth0:rings.rx', value: '4096' }]);
    expect(second.split('\n').filter((line) => line.startsWith('ExecStart'))).toEqual([
      'ExecStart=-/bin/sh -c "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"',
      'ExecStart=-/bin/sh -c "ethtool -G eth0 rx 4096"',
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
