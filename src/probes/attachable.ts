import { readFileSync } from 'node:fs';
import { inspectProgram } from './native.js';

/** Why nobody can attach to a process, in the words of the injector's codes. */
export interface Unattachable {
  code: string;
  reason: string;
  next?: string;
}

/** `Fit` of native/program/fit.h. */
const CODES: Readonly<Record<number, string>> = {
  2: 'unreadable',
  3: 'unknown',
  4: 'machine',
  5: 'static',
  6: 'go',
  7: 'musl',
};

/** What /proc says against attaching to a process; undefined where nothing does. Nothing is done to it. */
export function whyUnattachable(pid: number): Unattachable | undefined {
  const status = statusOf(pid);
  if (status === undefined) return { code: 'gone', reason: 'it has ended' };
  if (pid === 1) return { code: 'init', reason: 'it is the first process, whose end would end the system' };
  if (status.State?.startsWith('Z')) return { code: 'zombie', reason: 'it has ended and waits for its parent' };
  if (Number(status.TracerPid) > 0)
    return {
      code: 'traced',
      reason: `process ${status.TracerPid} traces it, and a process has one tracer`,
      next: 'End the debugger or strace.',
    };
  return permission(pid, status) ?? program(pid);
}

function statusOf(pid: number): Record<string, string> | undefined {
  try {
    const lines = readFileSync(`/proc/${pid}/status`, 'latin1').split('\n');
    return Object.fromEntries(lines.map((line) => line.split(':\t', 2) as [string, string]));
  } catch {
    return undefined;
  }
}

function permission(pid: number, { Uid = '' }: Record<string, string>): Unattachable | undefined {
  const own = process.geteuid?.() ?? 0;
  if (own === 0 || Uid.split('\t').every((uid) => Number(uid) === own)) return undefined;
  return {
    code: 'permission',
    reason: 'it runs as another user',
    next: `As that user or as root: sudo sockdoc … ${pid}`,
  };
}

function program(pid: number): Unattachable | undefined {
  const { fit, why } = inspectProgram(`/proc/${pid}/exe`);
  return fit === undefined || why === undefined
    ? undefined
    : { code: CODES[fit] ?? 'unknown', reason: `its program ${why}` };
}
