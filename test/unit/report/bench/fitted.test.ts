import { describe, expect, test } from 'vitest';
import { fitCost, fittedLines } from '../../../../src/report/bench/fitted.js';
import { benchRows } from '../../../../src/report/bench/rows.js';
import { benchResult } from '../../../support/bench.js';

describe('cost per message and per byte', () => {
  test('are found again', () => {
    const points = [1, 64, 1024, 65536].map((bytes) => ({ bytes, value: 0.25 + bytes * 0.001 }));
    const fitted = fitCost(points);
    expect(fitted?.perMessage).toBeCloseTo(0.25, 6);
    expect(fitted?.perByte).toBeCloseTo(0.001, 9);
  });

  test('need three sizes', () => {
    expect(fitCost([{ bytes: 8, value: 1 }])).toBeUndefined();
    expect(
      fitCost([
        { bytes: 8, value: 1 },
        { bytes: 9, value: 2 },
      ]),
    ).toBeUndefined();
  });
});

test('it is told for each placement and transport, of rates as the time that a message takes', () => {
  const rates = [1, 1001, 2001].map((bytes) =>
    benchResult({ bytes, case: `${bytes} B`, unit: '1/s', better: 'higher', p50: 1e6 / (1 + (bytes - 1) / 1000) }),
  );
  expect(fittedLines(benchRows(rates))).toEqual(['Cost of a message, fitted, CPU 0, 1: kernel 1 µs + 1 ns a byte']);
  expect(fittedLines(benchRows([benchResult()]))).toEqual([]);
  // Servers of which each answers with so many bytes are not one thing of three sizes.
  expect(fittedLines(benchRows(rates.map((rate) => ({ ...rate, suite: 'apps' }))))).toEqual([]);
});
