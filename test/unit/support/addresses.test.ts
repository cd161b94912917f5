import { expect, test } from 'vitest';
import { contains } from '../../../src/support/addresses.js';

test.each([
  ['10.0.0.1/24', '10.0.0.200', true],
  ['10.0.0.1/24', '10.0.1.200', false],
  ['0.0.0.0/0', '203.0.113.9', true],
  ['10.0.0.1/24', '::ffff:10.0.0.7', true],
  ['2001:db8::1/64', '2001:db8::ffff', true],
  ['2001:db8::1/64', '2001:db8:1::1', false],
  ['fe80::1/64', 'fe80::2%eth0', true],
  ['::1/128', '::1', true],
  ['10.0.0.1/24', '2001:db8::1', false],
  ['10.0.0.1/24', 'not an address', false],
  ['10.0.0.1/24', '10.0.0.256', false],
  ['2001:db8::/32', '1:2:3:4:5:6:7:8:9', false],
])('%s contains %s: %s', (prefix, address, expected) => {
  expect(contains(prefix, address)).toBe(expected);
});
