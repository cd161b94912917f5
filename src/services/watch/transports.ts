import { askMonitor } from '../../control/monitor/client.js';
import { TYPE } from '../../control/monitor/messages.js';
import { socketsToAsk } from '../../control/monitor/places.js';
import type { MonitorRunning } from '../../model/monitor.js';
import type { Transports } from '../../probes/connections.js';

/** A monitor that is slow to answer must not hold up a reading. */
const PATIENCE_MS = 500;

/** What carries connections, as the monitors know it that serve us: this user's and the system's. */
export async function readTransports(): Promise<Transports> {
  const answers = await Promise.all(socketsToAsk(undefined).map(statusAt));
  const running = answers.filter((answer): answer is MonitorRunning => typeof answer === 'object');
  const silent = answers.find((answer) => typeof answer === 'string');
  const ends = running.flatMap(({ ends = [] }) => ends);
  return {
    noMonitor: running.length > 0 ? '' : (silent ?? 'no monitor runs'),
    clients: running.flatMap(({ clients }) => clients.map(({ pid }) => pid)),
    cookies: ends.map(({ cookie }) => cookie),
    reasons: ends.map(({ transport, reason = 'the monitor says no reason' }) => (transport === 'shm' ? '' : reason)),
  };
}

/** Its answer, why there is none, or undefined where none runs. */
async function statusAt(socket: string): Promise<MonitorRunning | string | undefined> {
  try {
    const answer = await askMonitor(socket, TYPE.status, PATIENCE_MS);
    return answer?.type === TYPE.text ? JSON.parse(answer.body.toString('utf8')) : undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
