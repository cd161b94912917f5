import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { Readable } from 'node:stream';
import type { MonitorPolicyDocument } from '../../model/monitor.js';
import { internalError, type SockdocError } from '../../support/errors.js';
import { monitorProgram } from './places.js';

export interface DaemonOptions {
  socket?: string;
  policy?: string;
}

/** What the daemon writes when it is ready, or why it is not. */
export type Started = { pid: number; socket: string } | { error: { code: number; message: string; next: string } };

/** Starts the daemon in the background, on its own: it is no child of ours, and outlives us and our terminal. */
export async function startInBackground(options: DaemonOptions): Promise<Started> {
  const child = run([...flagsOf(options), '--background', '--ready-fd', '3'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const [line] = await Promise.all([allOf(child.stdio[3] as Readable), once(child, 'exit')]);
  if (line === '') throw internalError('the monitor ended without saying why');
  return JSON.parse(line) as Started;
}

/** Runs the daemon with our own terminal and passes signals on; its exit code. It ends with us, whatever ends us. */
export function runInForeground(options: DaemonOptions): Promise<number> {
  const begun: { child?: ChildProcess } = {};
  const pass = (signal: NodeJS.Signals) => begun.child?.kill(signal);
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  // Before it is there: a signal that ended us right after would leave it behind.
  for (const signal of signals) process.on(signal, pass);
  const child = run([...flagsOf(options), '--ends-with', String(process.pid)], { stdio: 'inherit' });
  begun.child = child;
  return new Promise((resolve, reject) => {
    child.on('error', (error) => reject(missing(error)));
    child.on('exit', (code) => {
      for (const signal of signals) process.off(signal, pass);
      resolve(code ?? 70);
    });
  });
}

/** What the daemon's own parser says of a policy. */
export async function checkPolicyFile(
  file: string,
): Promise<Pick<MonitorPolicyDocument, 'rules' | 'limits' | 'errors'>> {
  const child = run(['--check-policy', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  return JSON.parse(await allOf(child.stdout as Readable));
}

function flagsOf({ socket, policy }: DaemonOptions): string[] {
  return [...(socket === undefined ? [] : ['--socket', socket]), ...(policy === undefined ? [] : ['--policy', policy])];
}

function run(args: string[], options: Parameters<typeof spawn>[2]): ChildProcess {
  if (!existsSync(monitorProgram())) throw missing();
  return spawn(monitorProgram(), args, options ?? {});
}

function missing(cause?: unknown): SockdocError {
  return internalError(`the monitor's program is missing (${monitorProgram()}): run npm run build`, { cause });
}

async function allOf(stream: Readable): Promise<string> {
  let text = '';
  for await (const part of stream) text += String(part);
  return text.trim();
}
