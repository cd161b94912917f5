import { readFile } from 'node:fs/promises';
import { execa } from 'execa';

/** What a thread did, read from /proc without sockdoc. */
export interface ThreadTimes {
  atMs: number;
  runMs: number;
  delayMs: number;
  involuntary: number;
}

export async function threadTimes(pid: number, tid = pid): Promise<ThreadTimes> {
  const folder = `/proc/${pid}/task/${tid}`;
  const [schedstat, status] = await Promise.all([
    readFile(`${folder}/schedstat`, 'utf8'),
    readFile(`${folder}/status`, 'utf8'),
  ]);
  const [run = 0, delay = 0] = schedstat.trim().split(' ').map(Number);
  const involuntary = Number(/^nonvoluntary_ctxt_switches:\s*(\d+)/m.exec(status)?.[1]);
  return { atMs: performance.now(), runMs: run / 1e6, delayMs: delay / 1e6, involuntary };
}

/** Binds all threads of a process to a list of CPUs. */
export const pin = (pid: number, cpus: string) => execa('taskset', ['-a', '-c', '-p', cpus, String(pid)]);

/** Gives a process real-time priority: nothing but another such makes it wait, however busy the machine is. */
export const preferred = (pid: number) => execa('chrt', ['-a', '-f', '-p', '10', String(pid)]);

/** Gives a process a large weight: what else runs on the machine then hardly disturbs it, or a pair of such. */
export const favoured = (pid: number) => execa('renice', ['-n', '-15', '-p', String(pid)]);
