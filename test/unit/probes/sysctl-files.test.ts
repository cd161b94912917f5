import { expect, test } from 'vitest';
import { parseSysctlFile, precedence, sysctlFiles } from '../../../src/probes/sysctl-files.js';
import { foundOf } from '../../support/found.js';

const parse = (text: string) =>
  parseSysctlFile('f', text).map(({ key, value, line, ignoreErrors, glob }) => [key, value, line, ignoreErrors, glob]);

test('assignments, errors to ignore, exclusions and comments', () => {
  expect(
    parse('# a = 1\n ; b = 2\n\nnet.core.somaxconn=5\n  vm.swappiness =\t10  \n-kernel.x = 1\n-kernel.y\nnonsense\n'),
  ).toEqual([
    ['net.core.somaxconn', '5', 4, false, false],
    ['vm.swappiness', '10', 5, false, false],
    ['kernel.x', '1', 6, true, false],
    ['kernel.y', undefined, 7, true, false],
  ]);
});

test('lines are not continued, and what follows a value is part of it', () => {
  expect(parse('net.ipv4.tcp_rmem = 1 \\\n 2 3\nnet.ipv4.tcp_sack = 0 # why')).toEqual([
    ['net.ipv4.tcp_rmem', '1 \\', 1, false, false],
    ['net.ipv4.tcp_sack', '0 # why', 3, false, false],
  ]);
});

test('the first separator decides what a slash means', () => {
  expect(parse('net/ipv4/conf/eth0.100/rp_filter = 1')[0]?.[0]).toBe('net.ipv4.conf.eth0/100.rp_filter');
  expect(parse('net.ipv4.conf.eth0/100.rp_filter = 1')[0]?.[0]).toBe('net.ipv4.conf.eth0/100.rp_filter');
  expect(parse('/net/core/somaxconn = 1')[0]?.[0]).toBe('net.core.somaxconn');
  expect(parse('net..core.somaxconn = 1')[0]?.[0]).toBe('net.core.somaxconn');
});

test('globs are marked and kept', () => {
  expect(parse('-net.ipv4.conf.*.rp_filter = 1')).toEqual([['net.ipv4.conf.*.rp_filter', '1', 1, true, true]]);
});

test('files go by name over all folders; an earlier folder hides the same name', () => {
  const { order, masked } = precedence([
    '/usr/lib/sysctl.d/50-b.conf',
    '/etc/sysctl.d/99-z.conf',
    '/usr/lib/sysctl.d/10-a.conf',
    '/etc/sysctl.d/50-b.conf',
    '/run/sysctl.d/50-b.conf',
    '/usr/local/lib/sysctl.d/60-c.conf',
  ]);
  expect(order).toEqual([
    '/usr/lib/sysctl.d/10-a.conf',
    '/etc/sysctl.d/50-b.conf',
    '/usr/local/lib/sysctl.d/60-c.conf',
    '/etc/sysctl.d/99-z.conf',
  ]);
  expect(masked).toEqual([
    { file: '/run/sysctl.d/50-b.conf', by: '/etc/sysctl.d/50-b.conf' },
    { file: '/usr/lib/sysctl.d/50-b.conf', by: '/etc/sysctl.d/50-b.conf' },
  ]);
});

test('sysctl.conf is for procps alone; /lib that is /usr/lib counts once; a hidden file is for procps alone', () => {
  const files = {
    '/usr/lib/sysctl.d/10-a.conf': 'vm.swappiness = 1',
    '/lib/sysctl.d/10-a.conf': 'vm.swappiness = 1',
    '/etc/sysctl.d/.old.conf': 'vm.swappiness = 2',
    '/etc/sysctl.conf': 'vm.swappiness = 3',
  };
  const found = foundOf({
    files,
    links: { '/lib': 'usr/lib' },
    paths: Object.keys(files).filter((p) => p.includes('.d/')),
  });
  expect(sysctlFiles.parse(found)).toMatchObject({
    order: {
      systemd: ['/usr/lib/sysctl.d/10-a.conf'],
      procps: ['/etc/sysctl.d/.old.conf', '/usr/lib/sysctl.d/10-a.conf', '/etc/sysctl.conf'],
    },
    masked: [],
  });
});

test('a file that may not be read is a gap and keeps its place', () => {
  const found = foundOf({
    paths: ['/etc/sysctl.d/10-secret.conf'],
    errors: { '/etc/sysctl.d/10-secret.conf': 'EACCES', '/etc/sysctl.conf': 'ENOENT' },
  });
  expect(sysctlFiles.parse(found)).toEqual({
    assignments: [],
    order: { systemd: ['/etc/sysctl.d/10-secret.conf'], procps: ['/etc/sysctl.d/10-secret.conf'] },
    masked: [],
  });
  expect(found.gaps).toMatchObject([{ what: '/etc/sysctl.d/10-secret.conf', needs: 'CAP_DAC_READ_SEARCH' }]);
});
