import type { HostFacts } from '../model/snapshot/index.js';
import type { Tunable } from './tunable.js';

/**
 * What this kernel makes of a key when nobody interferes: as a new namespace shows it, else as its sources have it for
 * this version and memory. Undefined where neither tells.
 */
export function defaultOf(
  { fresh, default: compiled }: Tunable,
  key: string,
  host: HostFacts,
  freshSysctls: Readonly<Record<string, string>>,
): string | undefined {
  const shown = fresh ? freshSysctls[key] : undefined;
  return shown ?? compiled?.({ release: host.kernel, memoryBytes: host.memoryBytes, pageBytes: host.pageBytes });
}
