import { describe, expect, test } from 'vitest';
import { matches } from '../../../src/filter/matches.js';
import { parseFilter } from '../../../src/filter/parse.js';
import { FILTER_FIELDS } from '../../../src/model/views/filter.js';
import { connectionOf, filterCases } from '../../support/filter-cases.js';

describe('the cases that both evaluations share', () => {
  test.each(filterCases)('$text on $row: $matches', ({ text, filter, row, matches: expected }) => {
    expect(parseFilter(text)).toEqual(filter);
    expect(matches(filter, connectionOf(row))).toBe(expected);
  });

  test('name every field', () => {
    const used = new Set(filterCases.flatMap(({ filter }) => filter.map(({ field }) => field)));
    expect([...used].sort()).toEqual([...FILTER_FIELDS].sort());
  });
});
