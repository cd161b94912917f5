import { expect, test } from 'vitest';
import { bitRate, bytes, count, microseconds, milliseconds, percent, perSecond } from '../../../src/report/units.js';

test.each([
  [
    bytes,
    [
      [0, '0 B'],
      [1023, '1023 B'],
      [1024, '1 KiB'],
      [1536, '1.5 KiB'],
      [131072, '128 KiB'],
      [6291456, '6 MiB'],
      [1048575, '1 MiB'],
    ],
  ],
  [
    count,
    [
      [0, '0'],
      [999, '999'],
      [12345, '12.3k'],
      [4e6, '4M'],
      [999_999, '1M'],
    ],
  ],
  [
    bitRate,
    [
      [0, '0 bit/s'],
      [800, '800 bit/s'],
      [9.41e9, '9.41 Gbit/s'],
      [1000, '1 kbit/s'],
      [999.9, '1 kbit/s'],
    ],
  ],
  [
    perSecond,
    [
      [0, '0/s'],
      [0.01, '<0.1/s'],
      [0.52, '0.5/s'],
      [12, '12/s'],
      [3210, '3.21k/s'],
    ],
  ],
  [
    microseconds,
    [
      [0, '0 µs'],
      [38, '38 µs'],
      [1250, '1.25 ms'],
      [200_000, '200 ms'],
      [1_500_000, '1.5 s'],
    ],
  ],
  [
    milliseconds,
    [
      [250, '250 ms'],
      [1500, '1.5 s'],
      [119_000, '119 s'],
      [720_000, '12 min'],
      [12_240_000, '3.4 h'],
      [449_280_000, '5.2 d'],
    ],
  ],
  [
    percent,
    [
      [0, '0 %'],
      [0.034, '3.4 %'],
      [1, '100 %'],
    ],
  ],
] as const)('%o', (format, cases) => {
  for (const [value, text] of cases) expect(format(value)).toBe(text);
  expect(format(undefined)).toBeUndefined();
});
