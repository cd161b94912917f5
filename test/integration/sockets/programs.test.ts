import { existsSync, readFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { injectorAt } from '../../support/inject.js';
import {
  attaching,
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
const plainly = new Map<string, Promise<{ program: Outcome; seconds: number }>>();

/** A hang is ended after so many seconds, and as many times what the program takes by the kernel on this busy machine. */
const [PATIENCE, TIMES] = [40, 10];
const TEST_MS = 300_000;

async function measured(name: string) {
  const begin = performance.now();
  const program = await outcomeOf([compiled(name)], {}, TEST_MS / TIMES / 1000);
  return { program, seconds: Math.ceil((performance.now() - begin) / 1000) };
}

function plain(name: string) {
  const known = plainly.get(name) ?? measured(name);
  plainly.set(name, known);
  return known;
}

/** That it behaves with these variables as by the kernel alone. Exit code 77 is a reason to skip. */
async function behaves(name: string, env: Record<string, string>, skip?: (why: string) => void): Promise<void> {
  const { program, seconds } = await plain(name);
  const other = await outcomeOf([compiled(name)], env, PATIENCE + TIMES * seconds);
  if (other.status === 77) skip?.(other.stderr);
  // Who tries again compares with what the kernel does then.
  if (!isDeepStrictEqual(other, program)) plainly.delete(name);
  expect(other).toEqual(program);
}

// Each program says what its socket calls gave: results, errno values, signals, bytes. With libsd it must say the same, and libsd's own
// counts must be the kernel's (the programs compare them and speak up where they differ).
describe.runIf(hasLibsd).concurrent('programs behave with libsd as without', () => {
  it.each(socketPrograms)('%s', { timeout: TEST_MS }, async (name) => {
    const { program } = await plain(name);
    expect(program, 'without libsd').toMatchObject({
      status: 0,
      signal: null,
      stderr: expect.not.stringContaining('\0'),
    });
    expect(program.stdout).not.toBe('');
    await behaves(name, preloaded);
  });
});

// What libsd cannot do yet for connections on rings. None of these may be reached by `sockdoc run` unnoticed: each entry is a defect.
const NOT_YET: Record<string, readonly string[]> = {
  'memory that is not there ends the program instead of EFAULT': ['bad_memory'],
  'a receive that waits loses its connection when the number is closed': ['close_while_waiting'],
};

const notYet = (name: string) =>
  Object.keys(NOT_YET).find((reason) => NOT_YET[reason]?.includes(name.slice('sockets/'.length)));

/** Numbers of native/abi/reasons.h. */
const REASON = {
  sharedByMore: 21,
  urgentData: 32,
  ioUring: 33,
  upperProtocol: 34,
  passedOn: 35,
  executed: 36,
  socketOption: 40,
  asynchronous: 41,
  spliced: 43,
  setInSet: 44,
  setShared: 45,
  setNotFollowed: 46,
} as const;

/** Why sockets that are open at the end of a program are on the kernel then. All others are on rings, or never wanted to. */
const ON_KERNEL: Partial<Record<keyof typeof REASON, readonly string[]>> = {
  sharedByMore: [
    'blocking_by_others',
    'both_write_2mb',
    'checked_calls',
    'clones',
    'daemonise',
    'epoll_handed_on',
    'exec_fails',
    'exec_itself',
    'exec_keeps',
    'fetch_descriptor',
    'fork_busy',
    'fork_closes',
    'fork_many',
    'fork_shares',
    'fork_unread',
    'no_delay',
    'pass_descriptor',
    'ping_pong',
    'prefork_server',
    'sandboxed',
    'syscalls',
  ],
  urgentData: ['send_recv', 'urgent'],
  ioUring: ['uring'],
  upperProtocol: ['upper_protocol'],
  passedOn: ['pass_descriptor'],
  executed: ['spawn_many', 'vfork_child'],
  socketOption: ['low_water', 'options', 'peek_offset', 'socket_options', 'stamps', 'zero_copy'],
  asynchronous: ['async_details', 'asynchronous'],
  spliced: ['interrupted_calls', 'receive_timeout', 'restarted_calls', 'splice', 'splice_mixed'],
  setInSet: ['epoll_handed_on', 'epoll_places'],
  setShared: ['epoll_handed_on', 'epoll_lent'],
  setNotFollowed: ['epoll_changes', 'epoll_places'],
};

const reasonsOf = (name: string) =>
  Object.entries(REASON)
    .filter(([reason]) => ON_KERNEL[reason as keyof typeof REASON]?.includes(name.slice('sockets/'.length)))
    .map(([, number]) => number);

/** Numbers that a file has, one in each line, each once. */
function numbersIn(path: string): number[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').trim().split('\n').filter(Boolean);
  return [...new Set(lines.map(Number))].sort((a, b) => a - b);
}

// The same on connections that the programs' own warm-up has brought onto rings, and which fail where it cannot.
describe.runIf(hasLibsd).concurrent('programs behave on rings as on the kernel', () => {
  let bench: MonitorBench;
  beforeAll(async () => {
    bench = new MonitorBench();
    await bench.running();
  });
  afterAll(() => bench.remove());

  it.for(socketPrograms)('%s', { timeout: TEST_MS }, async (name, { skip }) => {
    const reason = notYet(name);
    if (reason !== undefined) skip(reason);
    const reasons = join(bench.folder, name.replace('/', '-'));
    await behaves(name, { ...upgrading(bench.socket), TELL_REASONS: reasons });
    // Its children are told of numbers, and one of them may be a socket's.
    const may = name === 'sockets/spawn_inherits' ? [REASON.executed] : [];
    const kept = numbersIn(reasons).filter((reason) => !may.includes(reason as 36));
    expect(kept, 'why the kernel carries what is open at its end').toEqual(reasonsOf(name));
  });
});

const NOT_ATTACHED: Record<string, string> = {
  fork_takes_over: 'its parent, which has the socket too for a moment, is not under libsd',
};
const NOT_DETACHED: Record<string, string> = {
  ...NOT_ATTACHED,
  no_delay: 'it looks for what the kernel has otherwise while a connection is on rings',
};

// The same where libsd comes into the running program, which has a connection already; and where it has left it again.
describe.runIf(hasLibsd).concurrent.each([
  { name: 'that came while the program ran', detaching: false, not: NOT_ATTACHED },
  { name: 'that has come and gone', detaching: true, not: NOT_DETACHED },
])('programs behave with a libsd $name as without', ({ detaching, not }) => {
  let bench: MonitorBench;
  beforeAll(async () => {
    bench = new MonitorBench();
    await bench.running();
  });
  afterAll(() => bench.remove());

  // All of them in the long run; in the short one each program is in one of the two.
  const half = socketPrograms.filter((_, at) => process.env.SOCKDOC_LONG || (at % 2 === 1) === detaching);
  it.for(half)('%s', { timeout: TEST_MS }, async (name, { skip }) => {
    const reason = notYet(name) ?? not[name.slice('sockets/'.length)];
    if (reason !== undefined) skip(reason);
    await behaves(name, attaching(bench.socket, detaching), skip);
  });
});

/** Some of all kinds in the short run: threads, epoll sets, calls that wait, children, ends of streams. */
const INJECTED = [
  'both_write_2mb',
  'close_unread',
  'epoll_edges',
  'epoll_kinds',
  'epoll_threads',
  'exec_keeps',
  'fork_unread',
  'half_closed',
  'interrupted_calls',
  'pass_pending',
  'peeking',
  'readiness',
  'shutdown',
  'stdio',
  'threads_share',
  'two_ways',
  'waits_and_threads',
].map((name) => `sockets/${name}`);

// The same where the injector brings libsd, with whatever threads there are, and takes it out again; all of them in the long run.
describe.runIf(hasLibsd).concurrent.each(
  [
    { name: 'attached to and left', detaching: true, not: NOT_DETACHED, some: INJECTED },
    {
      name: 'attached to',
      detaching: false,
      not: NOT_ATTACHED,
      some: ['sockets/epoll_changes', 'sockets/exec_itself'],
    },
  ].map((way) => (process.env.SOCKDOC_LONG ? { ...way, some: socketPrograms } : way)),
)('programs that were $name from outside behave as before', ({ detaching, not, some }) => {
  let bench: MonitorBench;
  let injector: Server;
  beforeAll(async () => {
    bench = new MonitorBench();
    await bench.running();
    injector = injectorAt(bench.policy('injector.sock'), bench.socket);
  });
  afterAll(async () => {
    injector.close();
    await bench.remove();
  });

  it.for(some)('%s', { timeout: TEST_MS }, async (name, { skip }) => {
    const reason = notYet(name) ?? not[name.slice('sockets/'.length)];
    if (reason !== undefined) skip(reason);
    const env = { ...attaching(bench.socket, detaching), SOCKDOC_INJECT: bench.policy('injector.sock') };
    await behaves(name, env, skip);
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
    expect(confined).toEqual((await plain(name)).program);
  });
});
