import { setTimeout as sleep } from 'node:timers/promises';
import { askMonitor } from '../../control/monitor/client.js';
import { TYPE } from '../../control/monitor/messages.js';
import { ownSocket, socketsToAsk } from '../../control/monitor/places.js';
import type { MonitorRunning, MonitorStatusDocument, MonitorStopDocument } from '../../model/monitor.js';
import { notPossible } from '../../support/errors.js';

/** What the monitor that serves us says: the named one, our own, or the system's. */
export async function monitorStatus(named: string | undefined): Promise<MonitorStatusDocument> {
  const sockets = socketsToAsk(named);
  for (const socket of sockets) {
    const answer = await askMonitor(socket, TYPE.status);
    if (answer?.type !== TYPE.text) continue;
    const running = JSON.parse(answer.body.toString('utf8')) as MonitorRunning;
    return { schemaVersion: 1, command: 'monitor status', running: true, socket, ...running };
  }
  return { schemaVersion: 1, command: 'monitor status', running: false, socket: sockets[0] ?? ownSocket() };
}

const PATIENCE_MS = 5000;

/** Ends the named monitor, or our own, and waits until its socket is gone. Connections carry on without it. */
export async function stopMonitor(named: string | undefined): Promise<MonitorStopDocument> {
  const socket = named ?? ownSocket();
  const stopped = (await askMonitor(socket, TYPE.stop)) !== undefined;
  const end = performance.now() + PATIENCE_MS;
  while (stopped && (await askMonitor(socket, TYPE.status).catch(() => undefined)) !== undefined) {
    if (performance.now() > end) throw notPossible(`the monitor at ${socket} said that it ends, and did not`);
    await sleep(20);
  }
  return { schemaVersion: 1, command: 'monitor stop', stopped, socket };
}
