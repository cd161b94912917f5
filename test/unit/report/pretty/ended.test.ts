import { expect, test } from 'vitest';
import type { ShortLived } from '../../../../src/model/views/short-lived.js';
import { endedText } from '../../../../src/report/pretty/ended.js';

const view: ShortLived = {
  source: 'tracepoint',
  windowMs: 1000,
  ended: 9,
  endedPerS: 9,
  unseen: 4,
  failed: 2,
  by: [
    { side: 'connecting', port: 443, pid: 5, comm: 'curl', count: 5 },
    { side: 'accepting', port: 80, comm: 'sh', processes: 3, count: 3 },
  ],
  unattributed: 1,
  lost: false,
};

test('says how many ended, whose they were, and what is not known', () => {
  expect(endedText(view)).toBe(
    '9 sockets of connections ended (9/s) · 4 too short for any reading · 2 attempts to connect failed · 5 curl[5] connected to port 443, 3 sh (3 processes) accepted on port 80 · 1 of unknown process',
  );
});

test('says what is a lower bound, and nothing of what is not known', () => {
  const { unseen, failed, ...less } = view;
  const text = endedText({ ...less, lost: true, by: [], unattributed: 0 });
  expect(text).toBe('at least 9 sockets of connections ended (9/s)');
});

test('without any it says so', () => {
  expect(endedText({ ...view, ended: 0, failed: 0 })).toBe('No connection ended');
});

test('names the first few rows', () => {
  const by = Array.from({ length: 8 }, (_, i) => ({ side: 'connecting' as const, port: i + 1, count: 1 }));
  expect(endedText({ ...view, by })).toContain('1 unknown connected to port 5, 3 more');
});
