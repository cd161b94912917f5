import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { requireRoot, requireTool, runCheck } from '../../../support/live.js';

/** Asks the kernel itself: 1 when the call was accepted. */
const python = (code: string) => execFileSync('python3', ['-c', code], { encoding: 'utf8' }).trim() === '1';

test('SMC, io_uring and MPTCP are said to be there as system calls show them', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'python3');
  const smc = python('import socket\ntry:\n  socket.socket(43, 1, 0); print(1)\nexcept OSError: print(0)');
  const mptcp = python('import socket\ntry:\n  socket.socket(2, 1, 262); print(1)\nexcept OSError: print(0)');
  const uring = python(
    'import ctypes\nl=ctypes.CDLL(None)\np=ctypes.create_string_buffer(120)\nprint(1 if l.syscall(425, 2, p) >= 0 else 0)',
  );
  const [result] = (await runCheck(['--only', 'host-capabilities', '--window', '0'])).of('host-capabilities');
  expect(['pass', 'info']).toContain(result?.status);
  const [there = '', lacking = ''] = (result?.summary ?? '').split('; not there: ');
  expect(there.includes('SMC sockets')).toBe(smc);
  expect(lacking.includes('SMC sockets')).toBe(!smc);
  expect(there.includes('MPTCP')).toBe(mptcp);
  expect(/io_uring(,|$)/.test(there)).toBe(uring);
});
