import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Value } from '@sinclair/typebox/value';
import { InjectDocument, type InjectedProcess } from '../../model/migrate.js';
import { notPossible } from '../../support/errors.js';
import { libsd } from '../monitor/places.js';

/** The program that brings libsd into processes and takes it out; there is none for other processors than x86-64. */
const injectProgram = () => fileURLToPath(new URL('../../../build/release/sockdoc-inject', import.meta.url));

export const hasInjector = (): boolean => existsSync(injectProgram()) && existsSync(libsd());

/** Longer than taking back what was begun may take; one that hangs, on a file system that does not answer, is ended. */
const PATIENCE_MS = 15_000;

/** A look mostly waits, and changes nothing that another one could see. */
const LOOKS_AT_ONCE = 8;

export interface InjectOptions {
  /** Look only: whether it could be done. */
  dryRun?: boolean;
  /** For each of them; what is not done by then is backed out of. */
  timeoutMs?: number;
  /** Makes it back out of what is under way. */
  signal?: AbortSignal;
}

/**
 * Brings libsd into these processes, one after the other, with this monitor; a dry run looks at several at once. Once the
 * signal is aborted, those whose turn has not come are left out.
 */
export const attach = (
  pids: readonly number[],
  monitor: string,
  options: InjectOptions = {},
): Promise<InjectedProcess[]> => each(pids, ['attach', '--library', libsd(), '--monitor', monitor], options);

/** Takes every connection of these processes back to the kernel, and libsd out of the way. */
export const detach = (pids: readonly number[], options: InjectOptions = {}): Promise<InjectedProcess[]> =>
  each(pids, ['detach'], options);

async function each(
  pids: readonly number[],
  args: readonly string[],
  { dryRun = false, timeoutMs, signal }: InjectOptions,
): Promise<InjectedProcess[]> {
  if (!hasInjector()) throw notPossible(`there is no injector here (${injectProgram()}): it is built for x86-64 alone`);
  const limit = timeoutMs === undefined ? [] : ['--timeout-ms', String(Math.max(1, Math.round(timeoutMs)))];
  const words = [...args, ...limit, ...(dryRun ? ['--dry-run'] : [])];
  const said: InjectedProcess[] = [];
  const left = pids.entries();
  const takeTurns = async () => {
    for (const [at, pid] of left) {
      if (signal?.aborted) break;
      said[at] = await inject(pid, words, signal);
    }
  };
  await Promise.all(Array.from({ length: dryRun ? LOOKS_AT_ONCE : 1 }, takeTurns));
  return said.filter((one) => one !== undefined);
}

/** An injector that breaks down is a refusal too: what it does is nothing or all, and others go on. */
async function inject(pid: number, args: readonly string[], signal: AbortSignal | undefined): Promise<InjectedProcess> {
  // In a group of its own: Ctrl-C is for us, and we tell it once.
  const child = spawn(injectProgram(), [...args, String(pid)], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let patience: NodeJS.Timeout | undefined;
  const stop = () => {
    child.kill('SIGINT');
    patience = setTimeout(() => {
      child.kill('SIGKILL');
      // Its tracer has them too, and may hang.
      child.stdout.destroy(new Error('it did not back out in time'));
      child.stderr.destroy();
    }, PATIENCE_MS);
  };
  signal?.addEventListener('abort', stop, { once: true });
  try {
    const [stdout, stderr, [code, killed]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>,
    ]);
    if (code === 0) return parsed(stdout);
    throw new Error(`it ended with ${killed ?? `status ${code}`}: ${stderr.trim() || 'it said nothing'}`);
  } catch (error) {
    const reason = `The injector broke down: ${(error as Error).message}`;
    return { pid, comm: '', state: 'refused', code: 'failed', reason };
  } finally {
    signal?.removeEventListener('abort', stop);
    clearTimeout(patience);
  }
}

async function text(stream: AsyncIterable<unknown>): Promise<string> {
  let all = '';
  for await (const part of stream) all += String(part);
  return all;
}

function parsed(stdout: string): InjectedProcess {
  const said: unknown = JSON.parse(stdout);
  if (!Value.Check(InjectDocument, said)) throw new Error(`it said what is not understood: ${stdout}`);
  return said.process;
}
