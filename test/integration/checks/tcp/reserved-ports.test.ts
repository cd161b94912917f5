import { expect, test } from 'vitest';
import { requireRoot, withNetns } from '../../../support/live.js';

test('a listener inside the range of outgoing ports is info until its port is reserved', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const server = await ns.start('listener.py', '127.0.0.1', 45_000, 8);
    await ns.start('listener.py', '127.0.0.1', 8080, 8);
    const judged = async () => (await ns.check(['--only', 'reserved-ports', '--window', '0'])).of('reserved-ports');
    const [result, ...others] = await judged();
    expect(others).toEqual([]);
    expect(result).toMatchObject({ status: 'info', subject: { pid: server.pid, listener: '127.0.0.1:45000' } });
    for (const command of result?.remedy?.commands ?? []) await ns.run('sh', '-c', command);
    expect(await ns.sysctl('net.ipv4.ip_local_reserved_ports')).toBe('45000');
    expect(await judged()).toMatchObject([{ status: 'pass' }]);
    await ns.run('sh', '-c', result?.remedy?.undo ?? 'false');
    expect(await ns.sysctl('net.ipv4.ip_local_reserved_ports')).toBe('');
  });
});
