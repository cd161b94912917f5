import { existsSync } from 'node:fs';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { poll } from './poll.js';

/** A cgroup (version 1) of the test's own below a controller's root. */
export interface TestGroup {
  /** "/sd-test-PID-N", as /proc/PID/cgroup names it. */
  path: string;
  folder: string;
  write(file: string, value: string | number): Promise<void>;
  read(file: string): Promise<string>;
  /** Words to put before a command so that it runs in the group. */
  prefix: readonly string[];
}

interface Skipping {
  skip(reason: string): unknown;
}

let counter = 0;

export function requireCgroup(ctx: Skipping, controller: 'cpu' | 'memory', file: string): void {
  if (!existsSync(`/sys/fs/cgroup/${controller}/cgroup.procs`))
    ctx.skip(`needs the ${controller} controller of cgroup v1`);
  if (!existsSync(`/sys/fs/cgroup/${controller}/${file}`)) ctx.skip(`this kernel has no ${file}`);
}

/** Runs the body with a fresh group and removes it; the body ends the processes that it put in. */
export async function withCgroup<T>(controller: 'cpu' | 'memory', body: (group: TestGroup) => Promise<T>): Promise<T> {
  const path = `/sd-test-${process.pid}-${counter++}`;
  const folder = `/sys/fs/cgroup/${controller}${path}`;
  await mkdir(folder);
  try {
    return await body({
      path,
      folder,
      write: (file, value) => writeFile(`${folder}/${file}`, String(value)),
      read: async (file) => (await readFile(`${folder}/${file}`, 'utf8')).trim(),
      prefix: ['sh', '-c', 'echo 0 > "$0/cgroup.procs" && exec "$@"', folder],
    });
  } finally {
    // A process that was ended stays in its group until it is gone.
    await poll('the group is empty', () =>
      rmdir(folder).then(
        () => true,
        () => false,
      ),
    ).catch(() => {});
  }
}
