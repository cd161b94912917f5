import { expect, test } from 'vitest';
import { coreCount, cpuMask, maskIsEmpty, parseCpuList, siblingsOf } from '../../../src/checks/cpus.js';

test('reads CPU lists as the kernel prints them', () => {
  expect([...parseCpuList('0-3,8')]).toEqual([0, 1, 2, 3, 8]);
  expect([...parseCpuList('5')]).toEqual([5]);
  expect(parseCpuList('').size).toBe(0);
  expect(parseCpuList('\n').size).toBe(0);
  expect(parseCpuList('x-1,3-2').size).toBe(0);
});

test('writes masks in groups of 32 bits, as rps_cpus takes them', () => {
  expect(cpuMask([0, 1])).toBe('3');
  expect(cpuMask([8, 9, 10, 11, 12, 13, 14, 15])).toBe('ff00');
  expect(cpuMask([32])).toBe('1,00000000');
  expect(cpuMask([0, 64])).toBe('1,00000000,00000001');
  expect(cpuMask([])).toBe('0');
});

test('an empty mask has no bit in any group', () => {
  expect(maskIsEmpty('00000000,00000000')).toBe(true);
  expect(maskIsEmpty('0')).toBe(true);
  expect(maskIsEmpty('00000001,00000000')).toBe(false);
});

test('counts cores and finds siblings', () => {
  const cpus = [
    { cpu: 0, package: 0, core: 0 },
    { cpu: 1, package: 0, core: 1 },
    { cpu: 2, package: 0, core: 0 },
    { cpu: 3, package: 1, core: 0 },
  ];
  expect(coreCount(cpus)).toBe(3);
  expect(siblingsOf(cpus, 0)).toEqual([0, 2]);
  expect(coreCount([{ cpu: 0 }, { cpu: 1 }])).toBe(2);
  expect(siblingsOf([{ cpu: 0 }], 0)).toEqual([0]);
});
