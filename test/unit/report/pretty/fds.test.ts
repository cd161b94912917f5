import { expect, test } from 'vitest';
import type { DescriptorDetail, DescriptorRow, DescriptorsDocument } from '../../../../src/model/views/descriptors.js';
import { prettyFds } from '../../../../src/report/pretty/fds.js';
import { groupsOf } from '../../../../src/report/pretty/fds-groups.js';

const row = (parts: Partial<DescriptorRow> = {}): DescriptorRow => ({
  pid: 42,
  comm: 'nginx',
  uid: 33,
  open: 990,
  softLimit: 1024,
  hardLimit: 4096,
  usedShare: 990 / 1024,
  highest: 1001,
  sockets: 900,
  tcp: 890,
  udp: 0,
  unix: 10,
  closeWait: 12,
  growthPerS: 3,
  suspicions: [{ what: 'close-wait', count: 12, text: '12 connections in CLOSE_WAIT' }],
  ...parts,
});
const document = (parts: Partial<DescriptorsDocument> = {}): DescriptorsDocument => ({
  schemaVersion: 1,
  command: 'fds',
  version: '0',
  takenAt: '2026-01-01T00:00:00.000Z',
  windowMs: 1000,
  matching: 1,
  processes: [row()],
  gaps: [],
  ...parts,
});
const look = { columns: 120, colour: false, unicode: true, verbose: false, all: false, interactive: true };
const connection = (fd: number, parts: Partial<DescriptorDetail> = {}): DescriptorDetail => ({
  fd,
  kind: 'tcp',
  target: `socket:[${fd}]`,
  cloexec: true,
  nonblock: true,
  local: '10.0.0.1:443',
  remote: `10.9.9.9:${40_000 + fd}`,
  state: 'established',
  ...parts,
});
const listener = connection(3, { state: 'listen', remote: undefined as never });

test('a process at its limit is red, and what may leak stands in its row', () => {
  const text = prettyFds(document(), { ...look, colour: true });
  expect(text).toContain('\u001b[31m990\u001b[0m');
  expect(prettyFds(document(), look)).toMatch(/42 {2}nginx +990 +1024 +96\.7 % +\+3\/s .*close-wait 12/);
});

test('a name that would steer the terminal is shown harmless', () => {
  const evil = document({ processes: [row({ comm: 'x\u001b]0;owned\u0007' })] });
  expect(prettyFds(evil, look)).not.toContain('\u001b');
});

test('without unicode everything is ASCII', () => {
  const detailed = document({ descriptors: [connection(5, { peer: { pid: 9, comm: 'wrk', fd: 4 } })] });
  for (const one of [document(), detailed])
    expect(prettyFds(one, { ...look, unicode: false })).toMatch(/^[\x20-\x7e\n]*$/);
});

test('many descriptors are groups on a terminal, rows elsewhere and with --all', () => {
  const descriptors = [listener, ...Array.from({ length: 300 }, (_, at) => connection(10 + at))];
  const detailed = document({ descriptors });
  const lines = (options: object) => prettyFds(detailed, { ...look, ...options }).split('\n').length;
  expect(prettyFds(detailed, look)).toMatch(
    /300 {2}tcp +established +accepted on port 443 from 10\.9\.9\.9 +10 to 309/,
  );
  expect(lines({})).toBeLessThan(30);
  expect(lines({ all: true })).toBeGreaterThan(300);
  expect(lines({ interactive: false })).toBeGreaterThan(300);
});

test('groups: accepted ones by client, connecting ones by server, files by folder', () => {
  const file = (fd: number): DescriptorDetail => ({ fd, kind: 'file', target: `/var/log/${fd}.log` });
  const groups = groupsOf([
    listener,
    connection(4),
    connection(5),
    connection(6, { local: '10.0.0.1:50000', remote: '10.1.1.1:5432' }),
    connection(7, { local: '10.0.0.1:50001', remote: '10.1.1.1:5432', state: 'close-wait' }),
    file(8),
    file(9),
  ]);
  expect(groups.map(({ count, state, what }) => [count, state, what])).toEqual([
    [2, 'established', 'accepted on port 443 from 10.9.9.9'],
    [2, undefined, '/var/log/…'],
    [1, 'listen', '10.0.0.1:443'],
    [1, 'established', 'to 10.1.1.1:5432'],
    [1, 'close-wait', 'to 10.1.1.1:5432'],
  ]);
});
