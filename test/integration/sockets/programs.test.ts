import { beforeAll, describe, expect, it } from 'vitest';
import {
  compileAll,
  compiled,
  hasLibsd,
  type Outcome,
  outcomeOf,
  preloaded,
  socketPrograms,
} from '../../support/libsd.js';

beforeAll(() => (hasLibsd ? compileAll(socketPrograms) : undefined), 300_000);

/** Each program once by the kernel alone: what all others must be like. */
const plainly = new Map<string, Promise<Outcome>>();

function plain(name: string): Promise<Outcome> {
  const known = plainly.get(name) ?? outcomeOf([compiled(name)]);
  plainly.set(name, known);
  return known;
}

// Each program says what its socket calls gave: results, errno values, signals, bytes. With libsd it must say the same, and libsd's own
// counts must be the kernel's (the programs compare them and speak up where they differ).
describe.runIf(hasLibsd).concurrent('programs behave with libsd as without', () => {
  it.each(socketPrograms)('%s', async (name) => {
    const program = await plain(name);
    expect(program, 'without libsd').toMatchObject({
      status: 0,
      signal: null,
      stderr: expect.not.stringContaining('\0'),
    });
    expect(program.stdout).not.toBe('');
    expect(await outcomeOf([compiled(name)], preloaded)).toEqual(program);
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
].map((name) => `sockets/${name}`);

describe.runIf(hasLibsd).concurrent('programs behave with libsd as without where code may not be patched', () => {
  const confining = hasLibsd ? compiled('libsd/without_exec_memory') : '';
  it.for(BY_SYMBOLS)('%s', async (name, { skip }) => {
    const confined = await outcomeOf([confining, compiled(name)], preloaded);
    if (confined.status === 77) skip(`this kernel cannot forbid it: ${confined.stderr}`);
    expect(confined).toEqual(await plain(name));
  });
});
