import { stat } from 'node:fs/promises';
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler';
import { askMonitor } from '../../control/monitor/client.js';
import { TYPE } from '../../control/monitor/messages.js';
import { socketsToAsk, usersSockets } from '../../control/monitor/places.js';
import { MonitorEnds } from '../../model/monitor.js';
import type { Transports } from '../../probes/connections.js';

/** A monitor that is slow to answer must not hold up a reading. */
const PATIENCE_MS = 500;

/** One of another user that gave no answer to use is left alone for so long: it must not hold up each reading. */
const SILENCE_MS = 30_000;
const silentUntil = new Map<string, number>();

/** Whose sockets a monitor speaks of that serves every user. */
const ANYBODY = -1;

/**
 * What carries connections, as the monitors know it: this user's and the system's, and for root those of all users, who are believed
 * only what they say of their own.
 */
export async function readTransports(): Promise<Transports> {
  const everybody = process.geteuid?.() === 0 && !process.env.SOCKDOC_MONITOR;
  const users = everybody ? usersSockets() : Promise.resolve([]);
  const answers = await Promise.all([
    ...socketsToAsk(undefined).map(async (socket) => ({ uid: ANYBODY, said: await statusAt(socket) })),
    ...(await users).map(async ({ uid, socket }) => ({ uid, said: await statusOfUser(socket) })),
  ]);
  const running = answers.flatMap(({ uid, said }) => (typeof said === 'object' ? [{ uid, said }] : []));
  const silent = answers.flatMap(({ uid, said }) => (uid === ANYBODY && typeof said === 'string' ? [said] : []));
  const clients = running.map(async ({ uid, said }) => {
    const pids = said.clients.map(({ pid }) => pid);
    const believed = await Promise.all(pids.map((pid) => uid === ANYBODY || isOf(uid, pid)));
    return pids.filter((_, index) => believed[index]);
  });
  const ends = running.flatMap(({ uid, said }) => said.ends.map((end) => ({ ...end, uid })));
  return {
    noMonitor: running.length > 0 ? '' : (silent[0] ?? 'no monitor runs'),
    clients: (await Promise.all(clients)).flat(),
    cookies: ends.map(({ cookie }) => cookie),
    uids: ends.map(({ uid }) => uid),
    sentBytes: ends.map(({ sentBytes = 0 }) => sentBytes),
    receivedBytes: ends.map(({ receivedBytes = 0 }) => receivedBytes),
    reasons: ends.map(({ transport, reason = 'the monitor says no reason' }) => (transport === 'shm' ? '' : reason)),
  };
}

const isOf = (uid: number, pid: number) =>
  stat(`/proc/${pid}`).then(
    (folder) => folder.uid === uid,
    () => false,
  );

async function statusOfUser(socket: string): ReturnType<typeof statusAt> {
  if (performance.now() < (silentUntil.get(socket) ?? 0)) return undefined;
  const said = await statusAt(socket);
  if (typeof said === 'string') silentUntil.set(socket, performance.now() + SILENCE_MS);
  else silentUntil.delete(socket);
  return said;
}

let shape: TypeCheck<typeof MonitorEnds> | undefined;

/** Its answer, why there is none, or undefined where none runs. */
async function statusAt(socket: string): Promise<MonitorEnds | string | undefined> {
  try {
    const answer = await askMonitor(socket, TYPE.status, PATIENCE_MS);
    if (answer?.type !== TYPE.text) return undefined;
    const said: unknown = JSON.parse(answer.body.toString('utf8'));
    shape ??= TypeCompiler.Compile(MonitorEnds);
    return shape.Check(said) ? said : `the monitor at ${socket} answers what is no status`;
  } catch (error) {
    return (error as Error).message;
  }
}
