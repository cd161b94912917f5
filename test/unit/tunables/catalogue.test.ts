import { describe, expect, it } from 'vitest';
import { settingOf } from '../../../src/model/tune/keys.js';
import { tunableOf, tunables } from '../../../src/tunables/catalogue/index.js';
import { problemOf } from '../../../src/tunables/form.js';

const example = (key: string) =>
  key
    .replace('limit:*', 'limit:42')
    .replace('features.*', 'features.rx-gro')
    .replace('/proc/irq/*', '/proc/irq/24')
    .replace('cpu/*', 'cpu/cpu3')
    .replace('queues/*', 'queues/rx-0')
    .replaceAll('*', 'eth0');

describe('the settings that tune may touch', () => {
  it('stand there once', () => {
    expect(new Set(tunables.map(({ key }) => key)).size).toBe(tunables.length);
  });

  it.each(tunables.map((tunable) => [tunable.key, tunable] as const))('%s is complete', (key, tunable) => {
    expect(settingOf(example(key))?.kind).toBe(tunable.kind);
    expect(tunableOf(example(key))).toBe(tunable);
    for (const text of [tunable.sets, tunable.risk, tunable.needs, tunable.source]) expect(text).not.toBe('');
    expect(tunable.source).toMatch(/https:\/\/|\(\d\)/);
    if (tunable.form.type === 'numbers' || tunable.form.type === 'span') {
      expect(tunable.form.most).toBeGreaterThan(tunable.form.least);
      const isChoice = tunable.form.most <= 200 && !tunable.raiseOnly;
      expect(tunable.unit !== '' || isChoice || key === 'net.ipv4.tcp_fastopen', 'numbers have a unit').toBe(true);
    }
    if (tunable.raiseOnly) expect(['numbers', 'span', 'limit']).toContain(tunable.form.type);
  });

  it.each(['4.18.0-553.el8', '5.3.0', '5.15.0-91-generic', '6.8.0', '6.16.1', '6.18.2'])(
    'defaults of %s lie within their range',
    (release) => {
      for (const memoryBytes of [512 * 2 ** 20, 8 * 2 ** 30, 2 ** 40]) {
        for (const { key, form, default: byDefault } of tunables) {
          const value = byDefault?.({ release, memoryBytes, pageBytes: 4096 });
          if (value !== undefined) expect(problemOf(form, value), key).toBeUndefined();
        }
      }
    },
  );

  it('knows when the kernel changed its mind', () => {
    const on = (key: string, release: string, memoryBytes = 64 * 2 ** 30) =>
      tunableOf(key)?.default?.({ release, memoryBytes, pageBytes: 4096 });
    expect(on('net.core.somaxconn', '5.3.18')).toBe('128');
    expect(on('net.core.somaxconn', '5.4.0')).toBe('4096');
    expect(on('net.ipv4.tcp_rmem', '5.10.0')).toBe('4096 131072 6291456');
    expect(on('net.ipv4.tcp_rmem', '6.18.0')).toBe('4096 131072 33554432');
    expect(on('net.ipv4.tcp_rmem', '6.18.0', 2 ** 30)).toBeUndefined(); // of so little memory it depends
    expect(on('net.core.rmem_max', '6.12.0')).toBe('212992');
    expect(on('net.core.rmem_max', '6.18.0')).toBe('4194304');
  });

  it.each([
    'net.ipv4.ip_forward',
    'kernel.core_pattern',
    '/sys/class/net/eth0/address',
    'limit:42:core',
    'ethtool:eth0:speed',
  ])('does not touch %s', (key) => {
    expect(tunableOf(key)).toBeUndefined();
  });
});
