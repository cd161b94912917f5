import { expect, test } from 'vitest';
import { parseFilter } from '../../../src/filter/parse.js';
import { select } from '../../../src/filter/select.js';
import { CONNECTION_SORTS } from '../../../src/model/views/request.js';
import { connectionOf } from '../../support/filter-cases.js';
import { connectionsOf, requestOf } from '../../support/recorded-frames.js';

const cookies = (rows: readonly { cookie: string }[]) => rows.map(({ cookie }) => cookie).join(' ');

test('the largest come first, rows without the value last, in either direction', () => {
  const rows = [
    connectionOf({ cookie: '1', rttUs: 5 }),
    connectionOf({ cookie: '2' }),
    connectionOf({ cookie: '3', rttUs: 50 }),
  ];
  expect(cookies(select(rows, requestOf({ sort: 'rtt' })).rows)).toBe('3 1 2');
  expect(cookies(select(rows, requestOf({ sort: 'rtt', reverse: true })).rows)).toBe('1 3 2');
});

test('equal rows keep one order whatever order they come in', () => {
  const rows = connectionsOf(12, () => ({ rttUs: 1 }));
  for (const sort of CONNECTION_SORTS)
    expect(select(rows.toReversed(), requestOf({ sort })).rows).toEqual(select(rows, requestOf({ sort })).rows);
});

test('what only waits to be forgotten does not hide listeners', () => {
  const rows = [connectionOf({ cookie: '1', state: 'time-wait' }), connectionOf({ cookie: '2', state: 'listen' })];
  expect(cookies(select(rows, requestOf()).rows)).toBe('2 1');
});

test('before a window has passed the rate is what was carried so far', () => {
  const rows = [
    connectionOf({ cookie: '1', bytesSent: 1, bytesReceived: 1 }),
    connectionOf({ cookie: '2', bytesSent: 100 }),
  ];
  expect(cookies(select(rows, requestOf()).rows)).toBe('2 1');
});

test('the filter comes before the limit, and what is kept comes beyond both', () => {
  const rows = connectionsOf(10);
  const request = requestOf({ filter: parseFilter('rtt>200us'), limit: 3, keep: ['1', '3', '4'] });
  const { rows: chosen, matching } = select(rows, request);
  expect(matching).toBe(8);
  expect(cookies(chosen)).toBe('3 4 5 1');
});
