import { expect, test } from 'vitest';
import { statesOf } from '../../../../src/services/conns/states.js';

test('the names and groups of ss', () => {
  expect(statesOf(['estab', 'close-wait'])).toEqual(['established', 'close-wait']);
  expect(statesOf(['Listening'])).toEqual(['listen']);
  expect(statesOf([])).toBeUndefined();
  expect(statesOf(['all'])).toBeUndefined();
  expect(statesOf(['bucket', 'big'])).toBeUndefined();
  const connected = statesOf(['connected']);
  expect(connected).toContain('time-wait');
  expect(connected).not.toContain('listen');
  expect(connected).not.toContain('close');
  expect(statesOf(['synchronized'])).toEqual(connected?.filter((state) => state !== 'syn-sent'));
});

test('a name that is none says what there is', () => {
  expect(() => statesOf(['establishd'])).toThrow('there is no state "establishd"; did you mean established');
  expect(() => statesOf([''])).toThrow('there is no state ""');
  expect(() => statesOf(['constructor'])).toThrow('there is no state');
});
