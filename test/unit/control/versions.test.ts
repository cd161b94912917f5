import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { MEMORY_VERSION, requestOf } from '../../../src/control/monitor/messages.js';

/** A constant of native/abi, which libsd and the monitor are built with. */
function constant(header: string, name: string): number {
  const text = readFileSync(new URL(`../../../native/abi/${header}`, import.meta.url), 'utf8');
  return Number(new RegExp(`\\b${name} = (\\d+);`).exec(text)?.[1]);
}

test('the command speaks the versions that libsd and the monitor are built with', () => {
  expect(MEMORY_VERSION).toBe(constant('direction.h', 'kSharedMemoryVersion'));
  expect(requestOf(1).readUInt16LE(4)).toBe(constant('messages.h', 'kMonitorVersion'));
});
