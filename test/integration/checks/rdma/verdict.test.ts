import { existsSync } from 'node:fs';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { runCheck } from '../../../support/live.js';

/** Whether this kernel has the module: built in, loaded, or on disk for it. */
const hasModule = async (name: string) =>
  existsSync(`/sys/module/${name}`) || (await execa('modprobe', ['-n', '-q', name], { reject: false })).exitCode === 0;

test('a machine without RDMA says so, and what its kernel could do in software', async (ctx) => {
  if (existsSync('/sys/class/infiniband')) return ctx.skip('this machine has RDMA');
  const { of, exitCode } = await runCheck([
    '--window',
    '0',
    '--only',
    'rdma-verdict',
    '--only',
    'rdma-stack',
    '--only',
    'rdma-port',
  ]);
  expect(exitCode).toBe(0);
  const [verdict, ...others] = of('rdma-verdict');
  expect(others).toEqual([]);
  expect(verdict?.evidence).toContainEqual(expect.objectContaining({ key: 'reason', value: 'no-hardware' }));
  expect(verdict?.evidence).toContainEqual(expect.objectContaining({ key: '/sys/class/infiniband', value: false }));
  const soft = { rxe: await hasModule('rdma_rxe'), siw: await hasModule('siw') };
  for (const [name, there] of Object.entries(soft))
    expect(verdict?.evidence.find(({ key }) => key === name)?.value).toMatch(there ? /loaded|module/ : /^no$/);
  if (!soft.rxe && !soft.siw) {
    expect(verdict?.status).toBe('not-applicable');
    expect(verdict?.summary).toBe(
      'No: there is no RDMA NIC on this host, and this kernel has neither soft-RoCE (rxe) nor soft-iWARP (siw)',
    );
  } else expect(verdict?.status).toBe('info');
  expect(of('rdma-stack')[0]?.status).toBe('not-applicable');
  expect(of('rdma-port')).toMatchObject([{ status: 'not-applicable', summary: 'no RDMA device on this host' }]);
});
