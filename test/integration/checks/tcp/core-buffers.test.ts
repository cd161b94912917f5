import { expect, test } from 'vitest';
import { evidence, requireRoot, requireTool, under, withNetns } from '../../../support/live.js';

/** A UDP socket that asks for so much, under a flow of datagrams. */
const receiving = (times: number, ...mode: string[]) =>
  withNetns(async (ns) => {
    const cap = Number(await ns.sysctl('net.core.rmem_max'));
    const socket = await ns.start('datagrams.py', '127.0.0.1', Math.round(cap * times), ...mode);
    if (mode.length === 0) await socket.ask('send 12000', 'sent');
    const results = await under(() => socket.ask('send 20', 'sent'), ns.only('core-buffers'));
    return { results, socket, cap };
  });

test('a socket that asked for more than the cap and loses datagrams', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip');
  const { results, socket, cap } = await receiving(2);
  expect(socket.ready.granted).toBe(2 * cap);
  expect(results).toMatchObject([
    {
      status: 'warn',
      subject: { pid: socket.pid, listener: `127.0.0.1:${socket.ready.port}` },
      remedy: { tunes: [{ key: 'net.core.rmem_max', from: String(cap) }] },
    },
  ]);
  expect(evidence(results[0], 'receive buffer')).toBe(2 * cap);
  expect(evidence(results[0], 'drops')).toBeGreaterThan(0);
});

test('one that asked for less, or reads, is none', async (ctx) => {
  requireRoot(ctx);
  expect((await receiving(0.01)).results).toMatchObject([{ status: 'pass' }]);
  const [quick] = (await receiving(2, 'read')).results;
  expect(['pass', 'info']).toContain(quick?.status);
});
