import type { NetnsIdentity } from '../../model/tune/plan.js';
import { currentNetns, namedNetns, netnsOfAllPids } from '../../probes/namespaces.js';
import { netnsIdentityOf, readFiles } from '../../probes/native.js';
import { INITIAL_ONLY } from '../../probes/netns/sysctls.js';
import { sysctlPath } from '../../probes/sysctl-names.js';

/** Which network namespace a path leads to ("" is our own); undefined when it cannot be entered. */
export async function netnsIdentity(path = ''): Promise<NetnsIdentity | undefined> {
  const { id, cookie } = await netnsIdentityOf(path);
  if (id === undefined) return undefined;
  const file = sysctlPath(INITIAL_ONLY);
  const { files } = await readFiles({ ...(path === '' ? {} : { netns: path }), files: [file] });
  const name = namedNetns().find((named) => named.id === id)?.name;
  return {
    id,
    ...(cookie === undefined ? {} : { cookie }),
    ...(name === undefined ? {} : { name }),
    initial: files[file] !== undefined,
  };
}

/** A path by which the initial namespace can be entered; undefined from where it is out of reach. */
export async function findInitialNetns(): Promise<string | undefined> {
  for (const path of ['', '/proc/1/ns/net']) if ((await netnsIdentity(path))?.initial) return path;
  return undefined;
}

/** A path by which a namespace of this boot can be entered, "" for our own; undefined when it is gone or out of reach. */
export async function findNetns(wanted: NetnsIdentity): Promise<string | undefined> {
  const paths = ['', ...(wanted.initial ? ['/proc/1/ns/net'] : [])];
  const named = namedNetns().filter(({ id }) => id === wanted.id);
  const others = async () => (await netnsOfAllPids()).namespaces.filter(({ id }) => id === wanted.id);
  for (const path of paths) if (await leadsTo(path, wanted)) return path;
  for (const { path } of named) if (await leadsTo(path, wanted)) return path;
  for (const { path } of await others()) if (await leadsTo(path, wanted)) return path;
  return undefined;
}

async function leadsTo(path: string, wanted: NetnsIdentity): Promise<boolean> {
  if (path === '' && currentNetns().id !== wanted.id) return false;
  const { id, cookie } = await netnsIdentityOf(path);
  return id !== undefined && sameNetns({ id, ...(cookie === undefined ? {} : { cookie }) }, wanted);
}

/** Of one boot. */
export const sameNetns = (a: Pick<NetnsIdentity, 'id' | 'cookie'>, b: Pick<NetnsIdentity, 'id' | 'cookie'>): boolean =>
  a.id === b.id && a.cookie === b.cookie;
