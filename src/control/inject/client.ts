import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Value } from '@sinclair/typebox/value';
import { InjectDocument, type InjectedProcess } from '../../model/migrate.js';
import { internalError, notPossible } from '../../support/errors.js';
import { libsd } from '../monitor/places.js';

/** The program that brings libsd into processes and takes it out; there is none for other processors than x86-64. */
const injectProgram = () => fileURLToPath(new URL('../../../build/release/sockdoc-inject', import.meta.url));

export const hasInjector = (): boolean => existsSync(injectProgram()) && existsSync(libsd());

export interface InjectOptions {
  /** Look only: whether it could be done. */
  dryRun?: boolean;
  /** For each of them; what is not done by then is backed out of. */
  timeoutMs?: number;
  /** Makes it back out of what is under way. */
  signal?: AbortSignal;
}

/** Brings libsd into these processes, one after the other, with this monitor. */
export const attach = (
  pids: readonly number[],
  monitor: string,
  options: InjectOptions = {},
): Promise<InjectedProcess[]> =>
  run(['attach', ...pids.map(String), '--library', libsd(), '--monitor', monitor], options);

/** Takes every connection of these processes back to the kernel, and libsd out of the way. */
export const detach = (pids: readonly number[], options: InjectOptions = {}): Promise<InjectedProcess[]> =>
  run(['detach', ...pids.map(String)], options);

async function run(
  args: readonly string[],
  { dryRun = false, timeoutMs, signal }: InjectOptions,
): Promise<InjectedProcess[]> {
  if (!hasInjector()) throw notPossible(`there is no injector here (${injectProgram()}): it is built for x86-64 alone`);
  // In a group of its own: Ctrl-C is for us, and we tell it once.
  const limit = timeoutMs === undefined ? [] : ['--timeout-ms', String(Math.max(1, Math.round(timeoutMs)))];
  const child = spawn(injectProgram(), [...args, ...limit, ...(dryRun ? ['--dry-run'] : [])], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const stop = () => child.kill('SIGINT');
  signal?.addEventListener('abort', stop, { once: true });
  if (signal?.aborted) stop();
  try {
    const [stdout, stderr, [code, killed]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>,
    ]);
    if (code === 0) return parsed(stdout);
    throw internalError(`the injector ended with ${killed ?? `status ${code}`}: ${stderr.trim() || 'it said nothing'}`);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

async function text(stream: AsyncIterable<unknown>): Promise<string> {
  let all = '';
  for await (const part of stream) all += String(part);
  return all;
}

function parsed(stdout: string): InjectedProcess[] {
  const said: unknown = JSON.parse(stdout);
  if (!Value.Check(InjectDocument, said))
    throw internalError(`the injector answered what is not understood: ${stdout}`);
  return said.processes;
}
