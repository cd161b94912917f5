import type { DescriptorDetail } from '../../model/views/descriptors.js';

/** Descriptors that a person would call the same. */
export interface DescriptorGroup {
  count: number;
  kind: string;
  state: string | undefined;
  what: string;
  first: number;
  last: number;
}

/** Alike ones together, the largest group first: by kind, state and other end. */
export function groupsOf(descriptors: readonly DescriptorDetail[]): DescriptorGroup[] {
  const groups = new Map<string, DescriptorGroup>();
  const ports = listening(descriptors);
  for (const descriptor of descriptors) {
    const { fd, kind, state } = descriptor;
    const what = whatOf(descriptor, ports);
    const key = JSON.stringify([kind, state, what]);
    const group = groups.get(key);
    if (group) {
      group.count++;
      group.last = fd;
    } else groups.set(key, { count: 1, kind, state, what, first: fd, last: fd });
  }
  return [...groups.values()].sort((a, b) => b.count - a.count || a.first - b.first);
}

const port = (endpoint: string) => endpoint.slice(endpoint.lastIndexOf(':') + 1);
const host = (endpoint: string) => endpoint.slice(0, endpoint.lastIndexOf(':'));

const listening = (descriptors: readonly DescriptorDetail[]): ReadonlySet<string> =>
  new Set(
    descriptors.flatMap(({ kind, state, local }) =>
      kind === 'tcp' && state === 'listen' && local ? [port(local)] : [],
    ),
  );

function whatOf(descriptor: DescriptorDetail, ports: ReadonlySet<string>): string {
  const { kind, local, remote, target, peer, protocol } = descriptor;
  const other = peer ? ` (${peer.comm}[${peer.pid}])` : '';
  if (kind === 'tcp' && local && remote)
    // Clients come from any port; servers are one port.
    return ports.has(port(local))
      ? `accepted on port ${port(local)} from ${host(remote)}${other}`
      : `to ${remote}${other}`;
  if (local) return `${local}${other}`;
  if (kind === 'unix' || kind === 'pipe') return peer ? `with ${peer.comm}[${peer.pid}]` : '';
  if (kind === 'file' || kind === 'memfd') return `${target.slice(0, target.lastIndexOf('/') + 1)}…`;
  if (target.startsWith('socket:[')) return protocol ?? '';
  return target.startsWith('anon_inode:') ? '' : target;
}
