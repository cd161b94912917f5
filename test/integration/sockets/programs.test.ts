import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  compileAll,
  compiled,
  hasLibsd,
  type Outcome,
  outcomeOf,
  preloaded,
  socketPrograms,
  upgrading,
} from '../../support/libsd.js';
import { MonitorBench } from '../../support/monitor.js';

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

// What libsd cannot do yet for connections on rings. None of these may be reached by `sockdoc run` unnoticed: each entry is a defect.
const NOT_YET: Record<string, readonly string[]> = {
  'memory that is not there ends the program instead of EFAULT': ['bad_memory'],
  'a receive that waits loses its connection when the number is closed': ['close_while_waiting'],
};

const notYet = (name: string) =>
  Object.keys(NOT_YET).find((reason) => NOT_YET[reason]?.includes(name.slice('sockets/'.length)));

// The same on connections that the programs' own warm-up has brought onto rings, and which fail where it cannot.
describe.runIf(hasLibsd).concurrent('programs behave on rings as on the kernel', () => {
  let bench: MonitorBench;
  beforeAll(async () => {
    bench = new MonitorBench();
    await bench.running();
  });
  afterAll(() => bench.remove());

  it.for(socketPrograms)('%s', async (name, { skip }) => {
    const reason = notYet(name);
    if (reason !== undefined) skip(reason);
    expect(await outcomeOf([compiled(name)], upgrading(bench.socket))).toEqual(await plain(name));
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
