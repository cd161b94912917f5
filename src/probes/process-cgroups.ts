import { readFiles } from './native.js';

/** The cgroups of a process, one path per hierarchy. */
export interface ProcessCgroups {
  pid: number;
  paths: string[];
}

/** Of every process; the files are readable for all. */
export async function readProcessCgroups(): Promise<ProcessCgroups[]> {
  const { files } = await readFiles({ fileGlobs: ['/proc/[0-9]*/cgroup'] });
  return Object.entries(files).map(([path, text]) => ({
    pid: Number(path.split('/')[2]),
    paths: parseCgroupPaths(text),
  }));
}

/** cgroups(7): "hierarchy:controllers:path" lines. A path may hold colons. */
export const parseCgroupPaths = (text: string): string[] => [
  ...new Set([...text.matchAll(/^\d+:[^:]*:(.*)$/gm)].map((match) => match[1] as string)),
];

/** In the cgroup or below it. */
export const isBelow = (path: string, cgroup: string): boolean =>
  cgroup === '/' || path === cgroup || path.startsWith(`${cgroup}/`);

/** In a systemd unit, which is a folder of its name: "nginx" is "nginx.service". */
export const isInUnit = (path: string, unit: string): boolean => path.split('/').includes(unit);

/** Unit names as systemctl takes them: a service, unless the suffix says otherwise. */
export const unitName = (name: string): string =>
  /\.(service|scope|slice|socket|mount|swap)$/.test(name) ? name : `${name}.service`;

/** The path below the hierarchy's root, also from a path below /sys/fs/cgroup with or without a controller. */
export function cgroupPath(given: string): string {
  const controllers =
    'unified|systemd|(?:cpu|cpuacct|cpuset|memory|devices|freezer|blkio|pids|net_cls|net_prio)(?:,\\w+)*';
  const below = given.replace(new RegExp(`^/sys/fs/cgroup(/(${controllers})(?=/|$))?`), '');
  const path = `/${below.split('/').filter(Boolean).join('/')}`;
  return path;
}
