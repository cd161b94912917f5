import { availableParallelism } from 'node:os';
import { expect, test } from 'vitest';
import { requireRoot, withNetns } from '../../../support/live.js';
import { withThresholds } from '../../../support/thresholds.js';

/** A veth pair delivers on the CPU of the sender, so who receives where is decided by where they are pinned. */
test.for([
  { reader: 1, status: 'info' },
  { reader: 0, status: 'pass' },
])('sender on CPU 0, reader on CPU $reader: $status', async ({ reader, status }, ctx) => {
  requireRoot(ctx);
  if (availableParallelism() < 2) ctx.skip('needs two CPUs');
  await withNetns(async (ns) => {
    const other = await ns.peer();
    const server = await ns.start('trickle.py', 'serve', '10.99.0.1', 0, reader);
    await other.start('trickle.py', 'send', '10.99.0.1', server.ready.port, 0, 10);
    const { of } = await withThresholds({ rfs: { segmentsPerSecond: 20 } }, (config) =>
      ns.check([...config, '--only', 'rfs', '--window', '1000']),
    );
    const [finding] = of('rfs');
    expect(finding).toMatchObject({ status, summary: expect.stringMatching(/^\d+ of 10 connections are received/) });
    const elsewhere = finding?.evidence.find(({ key }) => key === 'elsewhere')?.value;
    if (reader === 0) expect(elsewhere).toBeLessThan(25);
    else expect(elsewhere).toBeGreaterThanOrEqual(75);
  });
});
