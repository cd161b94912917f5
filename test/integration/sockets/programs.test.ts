import { describe, expect, it } from 'vitest';
import { compiled, hasLibsd, outcome, preloaded, socketPrograms } from '../../support/libsd.js';

// Each program says what its socket calls gave: results, errno values, signals, bytes. With libsd it must say the same, and libsd's own
// counts must be the kernel's (the programs compare them and speak up where they differ).
describe.runIf(hasLibsd)('programs behave with libsd as without', () => {
  it.each(socketPrograms)('%s', (name) => {
    const program = compiled(`sockets/${name}`);
    const plain = outcome([program]);
    expect(plain, 'without libsd').toMatchObject({
      status: 0,
      signal: null,
      stderr: expect.not.stringContaining('\0'),
    });
    expect(plain.stdout).not.toBe('');
    expect(outcome([program], preloaded)).toEqual(plain);
  });
});

// Where code may not be patched, symbols interpose: calls that the program makes itself arrive, those from inside libc do not.
const BY_SYMBOLS = [
  'accepting',
  'both_write_first',
  'cancellation',
  'checked_calls',
  'closing',
  'connecting',
  'duplicates',
  'longjmp_out',
  'messages',
  'nonblocking',
  'prefork_server',
  'read_write',
  'reset',
  'syscalls',
  'vectors',
  'wait_all',
];

describe.runIf(hasLibsd)('programs behave with libsd as without where code may not be patched', () => {
  it.for(BY_SYMBOLS)('%s', (name, { skip }) => {
    const program = compiled(`sockets/${name}`);
    const plain = outcome([program]);
    const confined = outcome([compiled('libsd/without_exec_memory'), program], preloaded);
    if (confined.status === 77) skip(`this kernel cannot forbid it: ${confined.stderr}`);
    expect(confined).toEqual(plain);
  });
});
