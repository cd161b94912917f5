import { readFileSync } from 'node:fs';

/** A mounted hierarchy: which cgroup its mount point shows, and where. */
export interface Mount {
  /** The cgroup at the mount point: "/" but for bind mounts into containers. */
  root: string;
  /** Where it can be opened from here. */
  point: string;
}

/** Where the controllers that we look at are mounted. */
export interface Hierarchies {
  cpu?: Mount;
  memory?: Mount;
  unified?: Mount & { controllers: readonly string[] };
}

/**
 * The hierarchies that we see. `ip netns exec` covers /sys/fs/cgroup: then what the nearest ancestor sees, through its
 * root directory.
 */
export function findHierarchies(): Hierarchies {
  for (const pid of ['self', ...ancestors()]) {
    const prefix = pid === 'self' ? '' : `/proc/${pid}/root`;
    const found = parseMounts(read(`/proc/${pid}/mountinfo`) ?? '', prefix);
    const { unified } = found;
    if (unified) {
      const controllers = read(`${unified.point}/cgroup.controllers`)?.split(/\s+/).filter(Boolean) ?? [];
      return { ...found, unified: { ...unified, controllers } };
    }
    if (found.cpu || found.memory)
      return { ...(found.cpu ? { cpu: found.cpu } : {}), ...(found.memory ? { memory: found.memory } : {}) };
  }
  return {};
}

type Mounts = Pick<Hierarchies, 'cpu' | 'memory'> & { unified?: Mount };

/** proc_pid_mountinfo(5): field 4 is the root, 5 the mount point; after "-" type, source and super options. */
export function parseMounts(mountinfo: string, prefix = ''): Mounts {
  const mounts: Mounts = {};
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const [type, , options = ''] = after.split(' ');
    const [, , , root = '', point = ''] = before.split(' ').map(octalUnescaped);
    const mount = { root, point: prefix + point };
    if (type === 'cgroup2') mounts.unified ??= mount;
    if (type !== 'cgroup') continue;
    const controllers = options.split(',');
    if (controllers.includes('cpu')) mounts.cpu ??= mount;
    if (controllers.includes('memory')) mounts.memory ??= mount;
  }
  return mounts;
}

/** The folder of a cgroup; undefined when the mount does not show it. */
export function folderOf(mount: Mount, cgroup: string): string | undefined {
  if (cgroup.startsWith('/..')) return undefined; // outside our cgroup namespace
  if (mount.root === '/') return cgroup === '/' ? mount.point : mount.point + cgroup;
  if (cgroup === mount.root) return mount.point;
  return cgroup.startsWith(`${mount.root}/`) ? mount.point + cgroup.slice(mount.root.length) : undefined;
}

/** Octal escapes of white space. */
const octalUnescaped = (text: string) =>
  text.replace(/\\([0-7]{3})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 8)));

function* ancestors(): Generator<number> {
  let pid = process.ppid;
  for (let depth = 0; pid > 0 && depth < 16; depth++) {
    yield pid;
    pid = Number(/^PPid:\s+(\d+)$/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1] ?? 0);
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // of another user, or gone
  }
}
