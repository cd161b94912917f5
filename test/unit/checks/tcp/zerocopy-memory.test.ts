import { expect, test } from 'vitest';
import { zerocopyMemory } from '../../../../src/checks/tcp/zerocopy-memory.js';
import type { Process } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { processOf } from '../../../support/snapshot.js';

const over = (optmem: string, process: Partial<Process>) =>
  judgeOne(zerocopyMemory, {
    net: { sysctls: { 'net.core.optmem_max': optmem } },
    last: { host: { processes: [processOf(process)] } },
  });

test('too little option memory or lockable memory for a user of zero copy is a warning', () => {
  expect(over('20480', { zeroCopy: true, memlockBytes: 65_536 })).toMatchObject([
    { status: 'warn', subject: { pid: 42, key: 'net.core.optmem_max' }, remedy: { tunes: [{ to: '131072' }] } },
    {
      status: 'warn',
      subject: { pid: 42 },
      remedy: {
        commands: ['prlimit --pid 42 --memlock=8388608:'],
        undo: 'prlimit --pid 42 --memlock=65536:',
      },
    },
  ]);
});

test('enough is a pass, nobody who uses it not applicable', () => {
  expect(over('131072', { zeroCopy: true, memlockBytes: 8_388_608 })).toMatchObject([{ status: 'pass' }]);
  expect(over('131072', { zeroCopy: true, memlockUnlimited: true })).toMatchObject([{ status: 'pass' }]);
  expect(over('20480', { zeroCopy: false })).toMatchObject([{ status: 'not-applicable' }]);
  expect(over('20480', {})).toMatchObject([{ status: 'not-applicable' }]);
});
