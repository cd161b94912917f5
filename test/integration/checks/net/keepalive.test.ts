import { expect, test } from 'vitest';
import { workFolder } from '../../../support/cli.js';
import { ss, ssNumber } from '../../../support/independent.js';
import { poll, requireRoot, withNetns } from '../../../support/live.js';
import { evidence } from './support.js';

test('a silent connection beyond a gateway, probed after two hours, is named; one on the own network is not', async (ctx) => {
  requireRoot(ctx);
  const folder = workFolder();
  ctx.onTestFinished(folder.remove);
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    await peer.run('ip', 'address', 'add', '192.0.2.1/32', 'dev', 'lo');
    await ns.run('ip', 'route', 'add', 'default', 'via', '10.99.0.2');
    await peer.start('sink.py', '0.0.0.0', 5000);
    const far = await ns.start('source.py', '192.0.2.1', 5000, 0, 0, 'keepalive');
    await ns.start('source.py', '10.99.0.2', 5000, 0, 0, 'keepalive');
    const config = folder.file('silent.yaml', 'thresholds: {keepalive: {pathIdle: 2}}\n');
    const before = await poll('three seconds of silence', async () => {
      const [row] = await ss(ns, '-ti', 'dst', '192.0.2.1:5000');
      const silent = row ? (ssNumber(row, 'lastrcv') ?? 0) : 0;
      return silent > 3000 && silent;
    });
    const args = ['--only', 'keepalive', '--window', '300'];
    const [result, ...others] = (await ns.check([...args, '--config', config])).of('keepalive');
    expect(others).toEqual([]);
    expect(result).toMatchObject({
      status: 'info',
      subject: { pid: far.pid, connection: `10.99.0.1:${far.ready.port} -> 192.0.2.1:5000` },
    });
    expect(evidence(result, 'TCP_KEEPIDLE', 'now')).toBe(Number(await ns.sysctl('net.ipv4.tcp_keepalive_time')));
    expect(evidence(result, 'silent', 'now')).toBeGreaterThanOrEqual(Math.floor(before / 1000));
    // By the threshold that hosts really have, a few seconds of silence are nothing.
    expect((await ns.check(args)).of('keepalive')[0]?.status).toBe('pass');
  });
});
