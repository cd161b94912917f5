import { expect, test } from 'vitest';
import { commandIn, setSysctls } from '../../../src/checks/remedies.js';
import { hostView, netView } from '../../../src/checks/view.js';
import type { NetnsFacts } from '../../../src/model/snapshot/index.js';
import { processOf, snapshotOf } from '../../support/snapshot.js';

const viewOf = (net: Partial<NetnsFacts>, pids: number[] = []) => {
  const snapshot = snapshotOf({
    net: { sysctls: { 'net.a': '1 2', 'net.b': '3' }, ...net },
    last: { host: { processes: pids.map((pid) => processOf({ pid })) } },
  });
  return netView(snapshot, snapshot.netns[0]?.id ?? '', hostView(snapshot));
};

test('a command reaches the namespace that it is about', () => {
  expect(commandIn(viewOf({}), 'x')).toBe('x');
  expect(commandIn(viewOf({ current: false, name: 'blue' }), 'x')).toBe('ip netns exec blue x');
  expect(commandIn(viewOf({ current: false }, [7]), 'x')).toBe('nsenter --net=/proc/7/ns/net x');
  expect(commandIn(viewOf({ current: false }), 'x')).toBe('x  # inside that network namespace');
});

test('a limit that only the initial namespace may write is written there', () => {
  const key = 'net.core.rmem_max';
  const child = viewOf({ initial: false, name: 'blue', current: false, sysctls: { [key]: '1' } });
  expect(setSysctls(child, { [key]: 2 })).toMatchObject({
    commands: [`nsenter --net=/proc/1/ns/net sysctl -w ${key}=2`],
    undo: `nsenter --net=/proc/1/ns/net sysctl -w ${key}=1`,
  });
  const initial = viewOf({ initial: true, sysctls: { [key]: '1' } });
  expect(setSysctls(initial, { [key]: 2 }).commands).toEqual([`sysctl -w ${key}=2`]);
});

test('sysctls are set with their undo, values with blanks in quotes; what is not known has no undo', () => {
  expect(setSysctls(viewOf({}), { 'net.a': '1 4', 'net.b': 5, 'net.c': 6 })).toEqual({
    commands: ['sysctl -w "net.a=1 4"', 'sysctl -w net.b=5', 'sysctl -w net.c=6'],
    tunes: [
      { key: 'net.a', from: '1 2', to: '1 4' },
      { key: 'net.b', from: '3', to: '5' },
    ],
    undo: 'sysctl -w "net.a=1 2" && sysctl -w net.b=3',
  });
});
