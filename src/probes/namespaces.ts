import { readdirSync, readlinkSync, statSync } from 'node:fs';
import type { Gap } from '../model/gap.js';
import { readFiles } from './native.js';

/** A network namespace, and a path by which it can be entered; "" for our own. */
export interface Namespace {
  id: string;
  path: string;
  name?: string;
  current: boolean;
}

const NAMED = '/run/netns';
const inode = (link: string) => /\[(\d+)\]/.exec(link)?.[1];

/** The namespace that sockdoc runs in. Its number is in a link that everybody may read. */
export function currentNetns(): Namespace {
  const id = inode(readlinkSync('/proc/self/ns/net'));
  if (id === undefined) throw new Error('/proc/self/ns/net does not name a namespace');
  const name = namedNetns().find((named) => named.id === id)?.name;
  return { id, path: '', current: true, ...(name !== undefined ? { name } : {}) };
}

/** Those with a name (ip-netns(8), container runtimes). A name that nothing is mounted on is left out. */
export function namedNetns(): (Namespace & { name: string })[] {
  let names: string[];
  try {
    names = readdirSync(NAMED);
  } catch {
    return []; // nobody has made one
  }
  const device = statSync('/proc/self/ns/net').dev;
  return names.flatMap((name) => {
    const info = statSync(`${NAMED}/${name}`, { throwIfNoEntry: false });
    if (info?.dev !== device) return []; // a plain file: left behind by a dead `ip netns add`
    return [{ id: String(info.ino), path: `${NAMED}/${name}`, name, current: false }];
  });
}

/** The namespace of a process; what went wrong is an errno name. */
export function netnsOfPid(pid: number): Namespace | { error: string } {
  const path = `/proc/${pid}/ns/net`;
  try {
    const id = inode(readlinkSync(path));
    return id === undefined ? { error: 'EINVAL' } : { id, path, current: false };
  } catch (error) {
    return { error: (error as NodeJS.ErrnoException).code ?? 'EIO' };
  }
}

/** Every namespace that a process is in, by one process of it, the lowest pid first. */
export async function netnsOfAllPids(): Promise<{ namespaces: Namespace[]; gaps: Gap[] }> {
  const answer = await readFiles({ linkGlobs: ['/proc/[0-9]*/ns/net'] });
  const found = new Map<string, number>();
  for (const [path, target] of Object.entries(answer.links)) {
    const id = inode(target);
    const pid = Number(path.split('/')[2]);
    if (id !== undefined) found.set(id, Math.min(found.get(id) ?? pid, pid));
  }
  const denied = Object.values(answer.errors).filter((code) => code === 'EACCES' || code === 'EPERM').length;
  return {
    namespaces: [...found].map(([id, pid]) => ({ id, path: `/proc/${pid}/ns/net`, current: false })),
    gaps: denied > 0 ? [notSeen(denied)] : [],
  };
}

/** Root is denied only what is above its own user namespace, or forbidden by a security module: no privilege helps there. */
function notSeen(count: number): Gap {
  const probe = 'namespaces';
  if (process.geteuid?.() === 0)
    return {
      probe,
      what: 'network namespaces of processes above our user namespace, or guarded by a security module',
      reason: 'permission denied',
      count,
    };
  const what = 'network namespaces of processes of other users';
  return { probe, what, reason: 'permission denied', needs: 'CAP_SYS_PTRACE', count };
}

/** Whether we may enter it; the reason when not. */
export async function whyNotEnterable(namespace: Namespace): Promise<Gap | undefined> {
  if (namespace.path === '') return undefined;
  const answer = await readFiles({ netns: namespace.path });
  const gap = answer.gaps[0];
  return gap && { ...gap, probe: 'namespaces', what: namespace.name ?? `net:[${namespace.id}]` };
}
