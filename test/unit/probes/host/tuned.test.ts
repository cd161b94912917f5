import { expect, test } from 'vitest';
import { settingOwners } from '../../../../src/probes/host/owners.js';
import { foundOf } from '../../../support/found.js';

test("tuned's keys are those of its active profile and of the profiles that it includes", () => {
  const files = {
    '/proc/900/comm': 'tuned\n',
    '/etc/tuned/active_profile': 'my-own\n',
    '/etc/tuned/my-own/tuned.conf':
      '[main]\ninclude=network-latency\n[sysctl]\n# net.core.wmem_max=1\nnet.core.somaxconn = 2048\n',
    '/usr/lib/tuned/network-latency/tuned.conf':
      '[main]\ninclude=latency-performance\n[vm]\ntransparent_hugepages=never\n[sysctl]\nnet.core.busy_read=50\n',
    '/usr/lib/tuned/profiles/latency-performance/tuned.conf':
      '[main]\ninclude=my-own\n[cpu]\ngovernor=performance\n[sysfs]\n/sys/bus/x=1\nnot-a-path=1\n',
    '/usr/lib/tuned/balanced/tuned.conf': '[sysctl]\nvm.swappiness=1\n',
  };
  const [tuned] = settingOwners.parse(foundOf({ files }));
  expect(tuned?.keys).toEqual([
    '/sys/bus/x',
    '/sys/devices/system/cpu/*/cpufreq/scaling_governor',
    '/sys/kernel/mm/transparent_hugepage/enabled',
    'net.core.busy_read',
    'net.core.somaxconn',
  ]);
});
