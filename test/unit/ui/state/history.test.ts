import { expect, test } from 'vitest';
import { History } from '../../../../src/ui/state/history.js';
import { connectionsOf, frameOf } from '../../../support/recorded-frames.js';

const at = (second: number, rttUs: number, count = 1) =>
  frameOf({
    takenAt: new Date(second * 1000).toISOString(),
    connections: connectionsOf(count, () => ({ rttUs })),
  });

test('what a connection did, with holes where it was not among the rows', () => {
  const history = new History();
  for (const frame of [at(1, 10), at(2, 20), at(3, 30, 0), at(4, 40)]) history.add(frame);
  expect(history.of('1').rttUs).toEqual([10, 20, undefined, 40]);
  expect(history.of('2').rttUs.every((value) => value === undefined)).toBe(true);
});

test('an earlier moment takes the later ones away, the same one replaces itself', () => {
  const history = new History();
  for (const frame of [at(1, 10), at(2, 20), at(3, 30), at(2, 25)]) history.add(frame);
  expect(history.of('1').rttUs).toEqual([10, 25]);
});

test('it is bounded', () => {
  const history = new History();
  for (let second = 1; second < 1000; second++) history.add(at(second, second));
  expect(history.of('1').rttUs).toHaveLength(180);
  expect(history.of('1').rttUs.at(-1)).toBe(999);
});
