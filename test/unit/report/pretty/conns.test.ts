import { expect, test } from 'vitest';
import type { ConnectionRow, ConnectionsDocument } from '../../../../src/model/views/connections.js';
import { connsJson } from '../../../../src/report/conns-json.js';
import { width } from '../../../../src/report/layout.js';
import { prettyConns } from '../../../../src/report/pretty/conns.js';
import { connectionOf } from '../../../support/filter-cases.js';

const rows: ConnectionRow[] = [
  connectionOf({
    local: '[2001:db8:1:2:3:4:5:6]:443',
    remote: '[2001:db8::ffff:ffff:ffff:1]:54321',
    pid: 4242,
    comm: 'ng\u001b[31minx',
    fd: 7,
    rttUs: 1250,
    recvQueueBytes: 2048,
    retransmits: 3,
    limitedBy: 'receive-window',
    rates: { windowMs: 1000, sendBps: 9.4e9, receiveBps: 0, retransmitsPerS: 2 },
  }),
  connectionOf({ state: 'listen', remote: '0.0.0.0:0', recvQueueBytes: 3, sendQueueBytes: 128 }),
];
const document = {
  schemaVersion: 1,
  command: 'conns',
  version: '0',
  takenAt: '2026-01-01T00:00:00Z',
  windowMs: 1000,
  totals: { sockets: 5, states: { established: 4, listen: 1 }, matching: 3, sendBps: 9.4e9, receiveBps: 0 },
  connections: rows,
  gaps: [{ probe: 'sockets', what: 'the processes of 2 sockets', reason: 'of other users', needs: 'root' }],
} satisfies ConnectionsDocument;
const look = { columns: undefined, colour: false, unicode: true, verbose: false, shortened: true };

test('says how many there are, what each does, and what was not seen', () => {
  const [head, titles, first, second, more, ...rest] = prettyConns(document, look).split('\n');
  expect(head).toBe('5 TCP sockets · 4 established, 1 listen · 3 selected · 9.4 Gbit/s out · 0 bit/s in · window 1 s');
  expect(titles).toMatch(/^STATE +LOCAL +REMOTE +PROCESS +RECV-Q +SEND-Q +RTT +RETRANS +OUT +IN +LIMITED BY$/);
  expect(first).toContain('ng\\x1b[31minx[4242]:7');
  expect(first).toMatch(/2 KiB +0 +1\.25 ms +3 \(2\/s\) +9\.4 Gbit\/s +0 +receive-window$/);
  expect(second).toMatch(/^listen +127\.0\.0\.1:1 +3 +128$/);
  expect(more).toBe('and 1 more (--all)');
  expect(rest.join('\n')).toContain('root would help: the processes of 2 sockets: of other users');
  expect(prettyConns(document, { ...look, shortened: false })).toContain('and 1 more\n');
});

test.each([40, 60, 80, 120])('%i columns are never exceeded', (columns) => {
  for (const unicode of [true, false])
    for (const line of prettyConns(document, { ...look, columns, unicode }).split('\n')) {
      expect(width(line)).toBeLessThanOrEqual(columns);
    }
});

test('nothing that was asked for is said, and an empty host is not', () => {
  const none = { ...document, connections: [], totals: { ...document.totals, matching: 0 } };
  expect(prettyConns(none, look)).toContain('No socket meets what was asked for.');
  const empty = { ...none, totals: { sockets: 0, states: {}, matching: 0 }, windowMs: 0, gaps: [] };
  expect(prettyConns(empty, look)).toBe('0 TCP sockets · one reading\n');
  const { totals: _, ...unread } = none;
  expect(prettyConns(unread, look)).toMatch(/^The TCP sockets could not be read\.\n/);
});

test('the document around rows that are text already is the document', () => {
  const { connections, ...rest } = document;
  const text = connsJson(rest, Buffer.from(JSON.stringify(connections)))
    .map(String)
    .join('');
  expect(JSON.parse(text)).toEqual(document);
  expect(text.trimEnd()).not.toContain('\n');
});
