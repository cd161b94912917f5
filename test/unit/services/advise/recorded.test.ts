import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { TransportCosts } from '../../../../src/model/advise.js';
import { type PairUse, predict } from '../../../../src/services/advise/predict.js';

/**
 * What was read of three servers under full load with nothing else at work, the middle one of five turns of each, and by how
 * much less CPU a request took by memory, in each of the five (docs/decisions/0078-predictions-have-a-range.md).
 */
interface Recorded extends PairUse {
  calibration: { byKernel: TransportCosts; byMemory: TransportCosts };
  measured: number[];
}

const FIXTURE = new URL('../../../../fixtures/advise/three-servers.json', import.meta.url);
const RECORDED: Record<string, Recorded> = JSON.parse(readFileSync(FIXTURE, 'utf8'));
const HOST = { measuredAt: '', kernel: '', bootId: '', version: '', cpus: [0, 1], smallBytes: 64, largeBytes: 16_384 };

const predictions = Object.entries(RECORDED).map(([name, { calibration, measured, ...use }]) => {
  const { timesLessCpu = 0, timesLessCpuBetween: [least, most] = [0, 0] } = predict(use, { ...HOST, ...calibration });
  const middle = measured.toSorted((a, b) => a - b)[2] ?? 0;
  return { name, predicted: timesLessCpu, least, most, measured, middle };
});

describe('beside what was measured', () => {
  test.each(predictions)('$name: within two, and within the range', ({ predicted, least, most, measured, middle }) => {
    expect(predicted / middle).toBeGreaterThan(1 / 1.5);
    expect(predicted / middle).toBeLessThan(1.5);
    for (const one of measured) {
      expect(one).toBeGreaterThan(least);
      expect(one).toBeLessThan(most);
    }
  });

  test('in the right order; two whose turns overlap are told as such', () => {
    const by = (key: 'predicted' | 'middle') => predictions.toSorted((a, b) => b[key] - a[key]).map(({ name }) => name);
    expect(by('predicted')).toEqual(by('middle'));
    const [first, second, last] = by('middle').map((name) => predictions.find((one) => one.name === name));
    expect(first?.least).toBeLessThan(second?.most ?? 0);
    expect(second?.least).toBeGreaterThan(last?.most ?? 0);
  });
});
