import { describe, expect, it } from 'vitest';
import { ownerOf } from '../../../src/tunables/owner.js';
import { processOf, snapshotOf } from '../../support/snapshot.js';

const file = '/etc/sysctl.d/90-net.conf';
const { host } = snapshotOf({
  host: {
    settingOwners: [
      { name: 'tuned', pid: 7, detail: 'network-latency', keys: ['net.core.busy_read'] },
      { name: 'kube-proxy', pid: 8 },
    ],
    sysctlFiles: {
      assignments: [
        { key: 'net.core.somaxconn', value: '1024', file, line: 3, ignoreErrors: false, glob: false },
        { key: 'net.core.busy_read', value: '0', file, line: 4, ignoreErrors: false, glob: false },
      ],
      order: { systemd: [file], procps: [file] },
      masked: [],
    },
  },
});
const owner = (key: string, value: string, initial = true) => ownerOf({ key, value, host, initial });

describe('who owns a key', () => {
  it('a running program before a file', () => {
    expect(owner('net.core.busy_read', '50')).toEqual({
      name: 'tuned',
      running: true,
      pid: 7,
      detail: 'active profile network-latency',
    });
    expect(owner('net.netfilter.nf_conntrack_max', '1')).toMatchObject({ name: 'kube-proxy', running: true });
  });

  it('a file, and whether what it says is in force', () => {
    expect(owner('net.core.somaxconn', '1024')).toEqual({ name: `${file}:3`, running: false });
    expect(owner('net.core.somaxconn', '4096')?.detail).toBe('it says 1024, but 4096 is in force');
  });

  it('in another namespace no file: they are applied in the initial one', () => {
    expect(owner('net.core.somaxconn', '1024', false)).toBeNull();
  });

  it('of a limit the unit', () => {
    const process = processOf({ cgroup: '/system.slice/nginx.service' });
    expect(ownerOf({ key: 'limit:42:nofile', value: '1024:4096', host, initial: true, process })).toMatchObject({
      name: 'nginx.service',
      running: false,
    });
  });

  it('nobody that we know of', () => {
    expect(owner('net.ipv4.tcp_rmem', '4096 131072 6291456')).toBeNull();
  });
});
