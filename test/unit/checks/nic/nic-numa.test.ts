import { expect, test } from 'vitest';
import { nicNuma } from '../../../../src/checks/nic/nic-numa.js';
import type { Profile } from '../../../../src/model/results.js';
import type { Process } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { cpusOf, linkOf } from '../../../support/links.js';
import { connectionOf, processOf } from '../../../support/snapshot.js';

const judge = (
  process: Partial<Process>,
  { nodes = 2, bytes = 1000, local = '192.0.2.7:80', profile = 'general' as Profile } = {},
) =>
  judgeOne(
    nicNuma,
    {
      host: { cpus: cpusOf(8, nodes), numaNodes: nodes },
      net: {
        links: [linkOf({ numaNode: 0 })],
        addresses: [{ interface: 'eth0', family: 'inet', address: '192.0.2.7', prefixLength: 24, scope: 'global' }],
      },
      first: { host: { processes: [processOf(process)] } },
      last: {
        host: { processes: [processOf(process)] },
        sockets: { connections: [connectionOf({ local, window: { ms: 1000, bytesSent: bytes, bytesReceived: 0 } })] },
      },
    },
    profile,
  )[0];

test('a process bound away from the node of its card', () => {
  expect(judge({ cpusAllowed: '4-7', memsAllowed: '0-1' })).toMatchObject({
    status: 'info',
    subject: { pid: 42, comm: 'server', interface: 'eth0' },
    summary: 'server (pid 42) is bound to CPUs 4-7, while its card eth0 is on node 0',
    remedy: { commands: ['taskset -a -c -p 0-3 42'], undo: 'taskset -a -c -p 4-7 42' },
  });
  expect(judge({ cpusAllowed: '4-7' }, { profile: 'latency' })?.status).toBe('warn');
  expect(judge({ cpusAllowed: '4-7' }, { bytes: 2e8 })?.status).toBe('warn');
  expect(judge({ cpusAllowed: '0-7', memsAllowed: '1' })?.summary).toContain('the memory of node 1');
});

test('may run on the node, does not use the card, or there is one node: nothing', () => {
  expect(judge({ cpusAllowed: '0-7', memsAllowed: '0-1' })?.status).toBe('pass');
  expect(judge({ cpusAllowed: '3-7' })?.status).toBe('pass');
  expect(judge({ cpusAllowed: '4-7' }, { local: '127.0.0.1:80' })?.status).toBe('pass');
  expect(judge({})?.status).toBe('pass');
  expect(judge({ cpusAllowed: '4-7' }, { nodes: 1 })?.status).toBe('not-applicable');
});
