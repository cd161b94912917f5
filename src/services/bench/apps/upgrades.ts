import { setTimeout as sleep } from 'node:timers/promises';
import { askMonitor } from '../../../control/monitor/client.js';
import { TYPE } from '../../../control/monitor/messages.js';
import type { MonitorRunning } from '../../../model/monitor.js';
import type { Carried } from '../cases.js';

/**
 * Asks the monitor a few times during a load what carries its connections. Of a program that nobody can look into this is
 * the proof that it was measured on shared memory: most of its connections were, at one of these moments.
 */
export async function watchUpgrades(socket: string, durationMs: number, load: Promise<unknown>): Promise<Carried> {
  let over = false;
  const ended = load.then(
    () => {
      over = true;
    },
    () => {
      over = true;
    },
  );
  let most = 0;
  let best: Carried = { upgraded: false, reason: 'the monitor saw none of its connections' };
  for (;;) {
    await Promise.race([ended, sleep(durationMs / 4)]);
    if (over) return best;
    const { connections, reasons } = await statusOf(socket);
    const all = connections.shm + connections.kernel;
    if (all === 0 || connections.shm < most) continue;
    most = connections.shm;
    const [reason] = Object.entries(reasons).sort(([, a], [, b]) => b - a)[0] ?? [];
    best = { upgraded: connections.shm > all / 2, ...(reason === undefined ? {} : { reason }) };
  }
}

async function statusOf(socket: string): Promise<MonitorRunning> {
  const answer = await askMonitor(socket, TYPE.status);
  if (answer === undefined) throw new Error('the benchmark’s monitor has ended');
  return JSON.parse(answer.body.toString('utf8')) as MonitorRunning;
}
