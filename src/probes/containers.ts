import { readFiles } from './native.js';

/** Where container engines keep what a container is called; readable for root. */
const DOCKER = '/var/lib/docker/containers/*/config.v2.json';
const STORAGE = '/var/lib/containers/storage/*-containers/containers.json';
const CONTAINERD = '/run/containerd/io.containerd.runtime.v2.task/*/*/config.json';

/**
 * The container that a part of a cgroup path stands for: the id that engines put there, 64 hexadecimal digits, or the
 * name (LXC, systemd-nspawn). The engine's own monitor beside a container ("conmon") is none.
 */
export function containerOf(part: string): { id?: string; name?: string } {
  if (/-conmon-/.test(part)) return {};
  const id = /(?:^|[-:])([0-9a-f]{64})(?:\.scope)?$/.exec(part)?.[1];
  if (id !== undefined) return { id };
  const name = /^(?:lxc\.payload\.(.+)|machine-(.+)\.scope|systemd-nspawn@(.+)\.service)$/.exec(part);
  const found = name?.[1] ?? name?.[2] ?? name?.[3];
  return found === undefined
    ? {}
    : { name: found.replace(/\\x([0-9a-f]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))) };
}

/** Names of containers with their ids, from the engines' state. */
export async function readContainerNames(): Promise<Map<string, string[]>> {
  const { files } = await readFiles({ fileGlobs: [DOCKER, STORAGE, CONTAINERD] });
  return parseContainerNames(files);
}

/** A name may stand for several: a container of that name in each of many pods. */
export function parseContainerNames(files: Readonly<Record<string, string>>): Map<string, string[]> {
  const names = new Map<string, string[]>();
  for (const [path, text] of Object.entries(files)) {
    for (const { name, id } of namesIn(path, text)) names.set(name, [...(names.get(name) ?? []), id]);
  }
  return names;
}

function namesIn(path: string, text: string): { name: string; id: string }[] {
  let state: unknown;
  try {
    state = JSON.parse(text);
  } catch {
    return []; // being written just now
  }
  if (Array.isArray(state)) return state.flatMap(ofStorage);
  const { ID, Name, annotations } = state as { ID?: string; Name?: string; annotations?: Record<string, string> };
  if (ID !== undefined && Name !== undefined) return [{ id: ID, name: Name.replace(/^\//, '') }];
  const name = annotations?.['io.kubernetes.cri.container-name'] ?? annotations?.['nerdctl/name'];
  return name === undefined ? [] : [{ id: path.split('/').at(-2) as string, name }];
}

function ofStorage(container: { id?: string; names?: string[] }): { name: string; id: string }[] {
  const { id, names = [] } = container;
  return id === undefined ? [] : names.map((name) => ({ name, id }));
}
