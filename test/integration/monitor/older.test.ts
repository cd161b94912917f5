import { createServer, type Server } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TYPE } from '../../../src/control/monitor/messages.js';
import { sockdoc } from '../../support/cli.js';
import { MonitorBench } from '../../support/monitor.js';
import { expectValid } from '../../support/schemas.js';

/** Of the first version, which is not to be had any more: as docs/protocol/monitor.md says, its header and `refused` are those of all. */
const FIRST = 1;
const HEADER = 16;

let bench: MonitorBench;
let server: Server;
let isStopped = false;

beforeEach(async () => {
  bench = new MonitorBench();
  isStopped = false;
  server = createServer((socket) => socket.on('data', (request) => socket.end(answerTo(request))));
  await new Promise<void>((resolve) => server.listen(bench.socket, resolve));
});

afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  await bench.remove();
});

function message(type: number, body: Buffer): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(HEADER + body.length, 0);
  header.writeUInt16LE(FIRST, 4);
  header.writeUInt16LE(type, 6);
  return Buffer.concat([header, body]);
}

function answerTo(request: Buffer): Buffer {
  const refused = Buffer.alloc(16);
  refused.writeUInt32LE(2, 0);
  refused.writeUInt32LE(FIRST, 8);
  if (request.readUInt16LE(4) !== FIRST) return message(TYPE.refused, refused);
  if (request.readUInt16LE(6) !== TYPE.stop) return message(TYPE.text, Buffer.from(JSON.stringify(STATUS)));
  isStopped = true;
  server.close();
  return message(TYPE.done, Buffer.alloc(0));
}

const STATUS = {
  pid: 1,
  version: '0.0.9',
  uid: 0,
  uptimeS: 1,
  clients: [],
  connections: { kernel: 0, shm: 0, rdma: 0 },
  memoryBytes: 0,
  slabs: 0,
  denied: 0,
  resets: 0,
  policy: { rules: 0 },
  kept: [],
  ends: [],
  reasons: {},
};

test('a monitor of an older build says so with what helps, in status and to who would use it, and can be stopped', async () => {
  const named = ['--socket', bench.socket];
  const status = JSON.parse((await sockdoc(['monitor', 'status', '--json', ...named])).stdout);
  await expectValid('monitor', status);
  expect(status).toMatchObject({ running: true, usable: false, version: '0.0.9' });
  const restart = /Restart it: sockdoc\s+monitor\s+stop .*&&\s+sockdoc\s+monitor\s+start /s;
  expect((await sockdoc(['monitor', 'status', ...named])).stdout).toMatch(restart);

  const env = { SOCKDOC_MONITOR: bench.socket };
  const { code, stderr } = await sockdoc(['migrate', String(process.pid), '--window', '0'], { env });
  expect(stderr).toMatch(/is of another build than this sockdoc/);
  expect(stderr).toMatch(restart);
  expect(code).toBe(4);

  expect((await sockdoc(['monitor', 'stop'], { env })).stdout).toBe('The monitor has ended\n');
  expect(isStopped).toBe(true);
  expect((await sockdoc(['monitor', 'stop'], { env })).stdout).toBe(`No monitor runs at ${bench.socket}\n`);
});
