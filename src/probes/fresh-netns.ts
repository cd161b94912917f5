import { readProbes } from './files.js';
import { netSysctls } from './netns/sysctls.js';

/**
 * What this kernel sets in a new network namespace, by reading one that is made for it and gone at once: the defaults
 * of everything that a namespace does not take over from the initial one. Empty without CAP_SYS_ADMIN.
 */
export async function readFreshSysctls(): Promise<Record<string, string>> {
  const { parts } = await readProbes({ sysctls: netSysctls }, { netns: 'new' });
  return parts.sysctls ?? {};
}
