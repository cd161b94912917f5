import { expect, test } from 'vitest';
import type { DescriptorDetail, DescriptorSuspicion } from '../../../../src/model/views/descriptors.js';
import { type DescriptorSource, descriptorRows } from '../../../../src/services/views/descriptors.js';
import { detailSuspicions } from '../../../../src/services/views/suspicions.js';

const source = (
  open: number,
  tcp: Record<string, number> = {},
  parts: Partial<DescriptorSource> = {},
): DescriptorSource => ({
  pid: 7,
  comm: 'server',
  uid: 0,
  startTicks: 1,
  descriptors: { open, sockets: 1, highest: open, softLimit: 1000 },
  tcp,
  udp: 0,
  unix: 0,
  ...parts,
});

function found(now: DescriptorSource, before?: DescriptorSource): DescriptorSuspicion[] {
  const reading = (monotonicMs: number, one: DescriptorSource) => ({ monotonicMs, processes: [one] });
  const [row] = descriptorRows(reading(2000, now), before && reading(1000, before));
  return row?.suspicions ?? [];
}

test('a healthy process has none', () => {
  expect(found(source(20, { established: 3, listen: 1 }), source(20, { established: 3, listen: 1 }))).toEqual([]);
});

test('growth that live connections explain is load; the rest is named by kind', () => {
  const before = source(20, { established: 5 }, { kinds: { tcp: 5, file: 15 } });
  expect(found(source(30, { established: 15 }, { kinds: { tcp: 15, file: 15 } }), before)).toEqual([]);
  expect(found(source(35, { established: 15 }, { kinds: { tcp: 15, file: 20 } }), before)).toEqual([
    { what: 'growth', count: 5, text: expect.stringContaining('tcp +10, file +5') },
  ]);
  expect(found(source(22, {}, { kinds: { file: 22 } }), source(20, {}, { kinds: { file: 20 } }))).toEqual([]);
});

test('near the limit, CLOSE_WAIT, not connected, inheritable', () => {
  const now = source(800, { 'close-wait': 4, unconnected: 1, established: 9 });
  const use = { open: 800, sockets: 14, highest: 800, softLimit: 1000, socketsInheritable: 2 };
  expect(found({ ...now, descriptors: use }).map(({ what, count }) => [what, count])).toEqual([
    ['near-limit', 800],
    ['close-wait', 4],
    ['unconnected', 1],
    ['inheritable', 2],
  ]);
});

test('what could not be read is not suspected', () => {
  expect(found(source(20, { 'close-wait': 4 }, { socketsRead: false }))).toEqual([]);
});

const tcp = (fd: number, watchedBy?: number[]): DescriptorDetail => ({
  fd,
  kind: 'tcp',
  target: `socket:[${fd}]`,
  state: 'established',
  ...(watchedBy ? { watchedBy } : {}),
});
const epoll = (watches?: DescriptorDetail['watches']): DescriptorDetail => ({
  fd: 3,
  kind: 'epoll',
  target: 'anon_inode:[eventpoll]',
  ...(watches ? { watches } : {}),
});

test('connections outside every epoll set are told where most are inside', () => {
  expect(detailSuspicions([epoll([]), tcp(5, [3]), tcp(6, [3]), tcp(7)])[0]).toMatchObject({
    what: 'not-watched',
    count: 1,
    text: '1 connection of 3 in no epoll set of this process (descriptor 7)',
  });
  expect(detailSuspicions([epoll([]), tcp(5, [3]), tcp(6)])).toEqual([]);
  expect(detailSuspicions([epoll(), tcp(5, [3]), tcp(6, [3]), tcp(7)])).toEqual([]);
  expect(detailSuspicions([tcp(5), tcp(6)])).toEqual([]);
});

test('deleted files that are still open', () => {
  const file = (fd: number, target: string): DescriptorDetail => ({ fd, kind: 'file', target });
  expect(detailSuspicions([file(4, '/var/log/a.log (deleted)'), file(5, '/var/log/b.log')])).toEqual([
    {
      what: 'deleted-files',
      count: 1,
      text: '1 deleted file is still open and takes space: descriptor 4, /var/log/a.log (deleted)',
    },
  ]);
});

test('growth says when the limit will be reached', () => {
  const [growth] = found(source(40, {}, { kinds: { file: 40 } }), source(30, {}, { kinds: { file: 30 } }));
  expect(growth?.text).toContain('at this rate the limit of 1000 is reached in 96 s');
});
