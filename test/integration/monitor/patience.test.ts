import { afterAll, describe, expect, test } from 'vitest';
import { askMonitor } from '../../../src/control/monitor/client.js';
import { TYPE } from '../../../src/control/monitor/messages.js';
import { hasLibsd } from '../../support/libsd.js';
import { MonitorBench } from '../../support/monitor.js';

describe.runIf(hasLibsd)('how long an answer is waited for', () => {
  const bench = new MonitorBench();
  afterAll(() => bench.remove());

  const notRunFor = (ms: number) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
  };

  test('an answer counts that came while nobody let us run; silence does not', async () => {
    const monitor = await bench.monitor();
    if ('error' in monitor) throw new Error(monitor.error.message);
    const patienceMs = 200;
    const asked = askMonitor(bench.socket, TYPE.status, patienceMs);
    notRunFor(2 * patienceMs);
    expect((await asked)?.type).toBe(TYPE.text);

    process.kill(monitor.pid, 'SIGSTOP');
    await expect(askMonitor(bench.socket, TYPE.status, patienceMs)).rejects.toThrow(/no answer within 0.2 s/);
    process.kill(monitor.pid, 'SIGCONT');
  });
});
