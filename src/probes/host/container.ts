import type { FileProbe, Found } from '../files.js';

/** PROC_PID_INIT_INO of linux/proc_ns.h: the initial PID namespace has this number on every kernel. */
const INITIAL_PID_NAMESPACE = 'pid:[4026531836]';

const SELF_PID = '/proc/self/ns/pid';
const NAMED = '/run/systemd/container';
const CGROUP = '/proc/self/cgroup';
const PID1 = '/proc/1/environ';
const MARKERS = { '/run/.containerenv': 'podman', '/.dockerenv': 'docker', '/proc/vz': 'openvz' } as const;

/**
 * The kind of container that we run in. Markers alone do not make one: a virtual machine may have been made from a
 * container's image. In the initial PID namespace, with pid 1's root directory, we are on the host itself.
 */
export function containerProbe(sameRootAsPid1: boolean): FileProbe<string | undefined> {
  return {
    name: 'container',
    wants: { files: [NAMED, CGROUP, PID1], links: [SELF_PID], pathGlobs: [...Object.keys(MARKERS), '/proc/bc'] },
    parse(found) {
      const initial = found.link(SELF_PID) === INITIAL_PID_NAMESPACE;
      if (initial && sameRootAsPid1) return undefined;
      return marked(found) ?? (initial || found.link(SELF_PID) === undefined ? undefined : 'other');
    },
  };
}

function marked(found: Found): string | undefined {
  const cgroup = found.text(CGROUP) ?? '';
  if (/kubepods/.test(cgroup)) return 'kubernetes';
  const declared =
    found.line(NAMED) || /(?:^|\0)container=([^\0]+)/.exec(found.text(PID1) ?? '')?.[1] || byCgroup(cgroup);
  if (declared) return declared;
  for (const [path, name] of Object.entries(MARKERS)) {
    const isHostNode = name === 'openvz' && found.has('/proc/bc');
    if (found.has(path) && !isHostNode) return name;
  }
  return undefined;
}

function byCgroup(cgroup: string): string | undefined {
  const match = /(docker|libpod|lxc|crio|containerd|machine\.slice)[/.-]/.exec(cgroup)?.[1];
  return match === 'libpod' ? 'podman' : match === 'machine.slice' ? 'systemd-nspawn' : match;
}
