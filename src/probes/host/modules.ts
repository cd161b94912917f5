import { release } from 'node:os';
import type { HostFacts } from '../../model/snapshot/index.js';
import type { FileProbe, Found } from '../files.js';

const KERNEL = `/lib/modules/${release()}/kernel`;
const AVAILABLE = '/proc/sys/net/ipv4/tcp_available_congestion_control';

/** tcp_*.ko that are no congestion controls. */
const OTHERS = new Set(['diag', 'probe', 'sigpool']);

/** What a module on disk could bring. */
export const loadableWants = {
  files: ['/proc/modules', '/proc/sys/kernel/modules_disabled'],
  pathGlobs: [`${KERNEL}/net/ipv4/tcp_*.ko*`, `${KERNEL}/net/smc/smc.ko*`, `${KERNEL}/net/tls/tls.ko*`],
};

/** Names of module files; none where the kernel takes no (more) modules. */
export function loadable(found: Found): string[] {
  const closed = found.text('/proc/modules') === undefined || found.line('/proc/sys/kernel/modules_disabled') === '1';
  if (closed) return [];
  return found.paths(/^\/lib\/modules\/.*\/([^/]+)\.ko(\.\w+)?$/).map((match) => match[1] as string);
}

export const congestionControls: FileProbe<HostFacts['congestionControls']> = {
  name: 'congestion-controls',
  wants: { ...loadableWants, files: [AVAILABLE, ...loadableWants.files] },
  parse(found) {
    const available = found.line(AVAILABLE)?.split(/\s+/);
    if (available === undefined) return undefined;
    const names = loadable(found)
      .flatMap((module) => (module.startsWith('tcp_') ? [module.slice('tcp_'.length)] : []))
      .filter((name) => !OTHERS.has(name) && !available.includes(name));
    return { available, loadable: names.toSorted() };
  },
};
