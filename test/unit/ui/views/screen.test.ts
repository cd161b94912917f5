import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { width } from '../../../../src/report/layout.js';
import { History } from '../../../../src/ui/state/history.js';
import { KeyDecoder } from '../../../../src/ui/state/keys.js';
import { initialState, type UiState } from '../../../../src/ui/state/state.js';
import { step } from '../../../../src/ui/state/step.js';
import { type Screen, type Shown, screenOf } from '../../../../src/ui/views/screen.js';
import { HOSTILE } from '../../../support/document.js';
import { connectionsOf, frameOf } from '../../../support/recorded-frames.js';

const SIZE = { columns: 100, rows: 30 };
const style = { colour: false, unicode: true };

function shown(parts: Partial<Shown> = {}): Shown {
  const frame = frameOf({ connections: connectionsOf(60) });
  const history = new History();
  history.add(frame);
  return { frame, state: initialState([]), history, style, size: SIZE, origin: { intervalMs: 1000 }, ...parts };
}

/** What is on the screen after these keys. */
function press(keys: string, parts: Partial<Shown> = {}): Screen & { state: UiState; text: string } {
  let state = parts.state ?? initialState([]);
  for (const key of new KeyDecoder().push(keys))
    state = step(state, key, screenOf(shown({ ...parts, state })).context).state;
  const screen = screenOf(shown({ ...parts, state }));
  return { ...screen, state, text: screen.lines.join('\n') };
}

const rowOf = (text: string) => text.split('\n').find((line) => line.startsWith('>'));

describe('whatever is on it', () => {
  const sizes = fc.record({ columns: fc.integer({ min: 1, max: 220 }), rows: fc.integer({ min: 1, max: 70 }) });
  const keys = fc.array(fc.constantFrom(...'123456jkGgsSradyn!?/p\r\u001b\u007f', 'rtt>1ms', '\u001b[6~'), {
    maxLength: 8,
  });
  const styles = fc.record({ colour: fc.boolean(), unicode: fc.boolean() });

  test('a screen is as high as the terminal, never wider, and cannot steer it', () => {
    const frame = frameOf({
      hostname: HOSTILE,
      connections: connectionsOf(40, (i) => ({ comm: i % 3 === 0 ? HOSTILE : `プロセス${i}`, state: 'close-wait' })),
      gaps: [{ probe: HOSTILE, what: HOSTILE, reason: 'x '.repeat(200), needs: 'CAP_NET_ADMIN' }],
    });
    fc.assert(
      fc.property(sizes, keys, styles, (size, pressed, look) => {
        const { lines, text } = press(pressed.join(''), { frame, size, style: look });
        expect(lines).toHaveLength(size.rows);
        for (const line of lines) {
          // biome-ignore lint/suspicious/noControlCharactersInRegex: our own colours
          const plain = line.replace(/\u001b\[\d+m/g, '');
          if (!look.colour) expect(line).toBe(plain);
          expect(plain).not.toMatch(/[\p{Cc}\u202e\u2028]/u);
          expect(width(plain)).toBeLessThanOrEqual(size.columns);
        }
        if (!look.unicode) expect(text).toMatch(/^[\p{ASCII}]*$/u);
      }),
      { numRuns: 300 },
    );
  });

  test('below 60x15 it asks for more room, and from there on it shows', () => {
    expect(press('', { size: { columns: 59, rows: 15 } }).text).toContain('Please enlarge: 59x15, 60x15 needed');
    expect(press('', { size: { columns: 60, rows: 14 } }).text).toContain('Please enlarge');
    expect(press('', { size: { columns: 60, rows: 15 } }).text).toContain('[1 Connections]');
  });
});

describe('connections', () => {
  test('the largest rate first, and the chosen row stays chosen when rows move', () => {
    expect(rowOf(press('').text)).toContain('worker0');
    const { state } = press('jj');
    const reversed = frameOf({
      connections: connectionsOf(60, (i) => ({ rates: { windowMs: 1000, sendBps: i, receiveBps: 0 } })),
    });
    const after = press('', { state, frame: reversed });
    expect(rowOf(after.text)).toContain('worker2 ');
  });

  test('a filter narrows them, and what is wrong with it is shown at its place', () => {
    expect(press('/worker7 \r').text).toContain('filter: worker7');
    expect(press('/worker7\r').context.rows).toHaveLength(1);
    const lines = press('/pid:1 prot:80').lines;
    expect(lines.at(-2)).toBe(' filter: pid:1 prot:80');
    expect(lines.at(-1)?.indexOf('^')).toBe(lines.at(-2)?.indexOf('prot'));
    expect(lines.at(-1)).toContain('did you mean port');
    expect(press('/port:9999\r').text).toContain('No connection meets the filter.');
  });

  test('what wants attention has a sign, with its reason in the detail', () => {
    const frame = frameOf({ connections: connectionsOf(1, () => ({ state: 'close-wait' })) });
    expect(rowOf(press('', { frame }).text)).toMatch(/^>! /);
    expect(press('\r', { frame }).text).toContain('the peer has closed it, and the process has not');
  });

  test('the detail has the process, its cost, the peer, the graphs, and says when the connection is gone', () => {
    const peer = { pid: 900, comm: 'peer', fd: 3 };
    const connections = connectionsOf(1, () => ({ peer, isLocal: true, limitedBy: 'receive-window' as const }));
    const process = { ppid: 1, uid: 0, threads: 1, connections: 1, listeners: 0, udp: 0, unix: 0, cpuShare: 0.25 };
    const processes = [
      { ...process, pid: 100, comm: 'worker0', kernelShare: 0.5, runDelayMsPerS: 12 },
      { ...process, pid: 900, comm: 'peer', cpuShare: 0.75 },
    ];
    const { text, state } = press('\r', { frame: frameOf({ connections, processes }) });
    expect(text).toMatch(/Process +worker0 pid 100 fd 0/);
    expect(text).toContain('CPU 25 %, 50 % of it in the kernel, waits for a CPU 12 ms per second');
    expect(text).toMatch(/Peer +peer pid 900 fd 3 on this host, CPU 75 %/);
    expect(text).toContain('does not read fast enough');
    expect(text).toMatch(/RTT +100 µs +█/);
    expect(press('', { state, frame: frameOf() }).text).toContain('It is gone.');
  });
});

test('what ended and what could not be seen stand in the header', () => {
  const frame = frameOf({
    shortLived: {
      source: 'destroy-events',
      windowMs: 1000,
      ended: 200,
      endedPerS: 200,
      unseen: 100,
      by: [],
      unattributed: 6,
      lost: false,
    },
    gaps: [{ probe: 'sockets', what: 'owners', reason: 'permission denied', needs: 'CAP_SYS_PTRACE' }],
  });
  const { text } = press('', { frame, size: { columns: 160, rows: 30 } });
  expect(text).toContain('ended 200/s (50 % too short for any reading, 3 % of unknown process)');
  expect(text).toContain('! 1 not seen, privileges would help');
  // With less room there is less of it, and nothing that is cut.
  for (let columns = 60; columns < 160; columns++) {
    const line = press('', { frame, size: { columns, rows: 30 } }).lines[2];
    expect(line).toMatch(
      /^ ended 200\/s( \(50 % too short for any reading, 3 % of unknown process\))?( {2}sockdoc itself: [^…]*B)? +! 1 not seen(, privileges would help)? $/,
    );
  }
  expect(press('!', { frame }).text).toMatch(/sockets +owners: permission denied; CAP_SYS_PTRACE would help/);
});

test('sockets that could not be read are not none', () => {
  const { totals: _, ...frame } = frameOf({ gaps: [{ probe: 'sockets', what: 'sockets', reason: 'no memory' }] });
  for (const tab of '126') {
    const { text } = press(tab, { frame });
    expect(text).toContain('The TCP sockets could not be read.');
    expect(text).not.toMatch(/\b0 TCP sockets|No connections|No process holds|kernel 0/);
  }
});

test('what may not be looked at is not said to be nothing', () => {
  const gaps = [{ probe: 'sockets', what: 'owners', reason: 'permission denied', needs: 'CAP_SYS_PTRACE' }];
  const frame = frameOf({ connections: connectionsOf(3), gaps });
  expect(press('2', { frame }).text).toContain(
    'No process that we may look into holds a socket; ! says what would help.',
  );
  expect(press('4', { frame }).text).toContain('No descriptors that we may read');
  expect(press('2', { frame: frameOf() }).text).toContain('No process holds a socket.');
});

test('of a connection past the kernel the numbers are said to be the kernel’s', () => {
  const frame = (transport: 'shm' | 'kernel') => frameOf({ connections: connectionsOf(1, () => ({ transport })) });
  expect(press('\r', { frame: frame('shm') }).text).toMatch(/Transport +shm, past the kernel, which counts only/);
  expect(press('\r', { frame: frame('kernel') }).text).not.toContain('past the kernel');
});

test('a recording says where it is', () => {
  const replay = { position: 2, count: 9, speed: 2, isPaused: false, isCut: false };
  const at = (parts: object) => press('', { origin: { intervalMs: 1000, replay: { ...replay, ...parts } } }).text;
  expect(at({})).toContain('REPLAY 3/9 x2');
  expect(at({ isPaused: true })).toContain('REPLAY 3/9 PAUSED');
  expect(at({ position: 8, isCut: true })).toContain('REPLAY 9/9, cut off here');
});

describe('sockets in user space', () => {
  const processOf = (pid: number, parts: object = {}) => ({
    pid,
    ppid: 1,
    comm: `server${pid}`,
    uid: 0,
    threads: 1,
    connections: 4,
    listeners: 1,
    udp: 0,
    unix: 0,
    ...parts,
  });
  const totals = {
    sockets: 5000,
    states: {},
    matching: 5000,
    transports: [
      { transport: 'kernel' as const, reason: 'its process is not under libsd', connections: 4000 },
      { transport: 'kernel' as const, reason: 'the peer has ended', connections: 7 },
      { transport: 'shm' as const, connections: 993, sendBps: 1e9, receiveBps: 1e9 },
    ],
  };
  const frame = frameOf({
    connections: connectionsOf(3),
    totals,
    processes: [processOf(1), processOf(2, { underLibsd: true, byMemory: 3 }), processOf(3, { connections: 0 })],
  });
  const origin = { intervalMs: 1000, canMigrate: true };

  test('counts all connections, not those that the frame has rows of; processes under libsd come first', () => {
    const { text } = press('6', { frame });
    expect(text).toContain('Connections by transport: kernel 4.01k, shm 993 (2 Gbit/s), rdma 0');
    expect(text).toMatch(/^ +4k {2}its process is not under libsd$/m);
    expect(text).toMatch(/^ +7 {2}the peer has ended$/m);
    expect(rowOf(text)).toMatch(/server2 +2 +yes +3 +4/);
    expect(text).not.toContain('server3');
  });

  test('a recording from before the totals had them counts its rows', () => {
    const { transports: _, ...before } = totals;
    const { text } = press('6', { frame: { ...frame, totals: before } });
    expect(text).toContain('Connections by transport: kernel 3, shm 0, rdma 0');
  });

  test('asks before it attaches, says what became of it, and offers nothing where it cannot', () => {
    expect(press('6', { frame, origin }).text).toContain('a attach   d detach');
    expect(press('6a', { frame, origin }).text).toMatch(/Attach to server2 2 .*\?\n y yes {3}any other key no/);
    expect(press('6jd', { frame, origin }).text).toMatch(/Detach from server1 1, .*\?\n y yes {3}any other key no/);
    const narrow = { columns: 60, rows: 15 };
    expect(press('6a', { frame, origin, size: narrow }).text).toMatch(
      /Attach to server2 2 .*\n y yes {3}any other key no$/,
    );
    const state = { ...initialState([]), tab: 'user-space' as const, said: { text: 'Attached to it', isBad: false } };
    expect(press('', { frame, origin, state }).text).toContain('Attached to it');
    const long = { ...state, said: { text: `${'no '.repeat(22)}and why`, isBad: true } };
    expect(press('', { frame, origin, state: long, size: narrow }).text).toMatch(/^ no no .*\n no .*and why$/m);
    const hostile = { ...state, said: { text: HOSTILE, isBad: true } };
    expect(press('', { frame, origin, state: hostile }).text).not.toMatch(/[^\P{Cc}\n]|[\u202e\u2028]/u);
    expect(press('6', { frame }).text).not.toContain('a attach');
    expect(press('6a', { frame }).text).not.toContain('Attach to');
    expect(press('1a', { frame, origin }).text).not.toContain('Attach to');
  });
});
