import { ethtoolKeys } from '../../control/settings/read.js';
import { settingOf } from '../../model/tune/keys.js';
import { readFiles } from '../../probes/native.js';
import { sysctlName, sysctlPath } from '../../probes/sysctl-names.js';

/** Keys that the kernel itself changes when the first one is written. */
const COUPLED: Readonly<Record<string, readonly string[]>> = {
  // tcp_set_default_congestion_control() adds it to those that everybody may use
  'net.ipv4.tcp_congestion_control': ['net.ipv4.tcp_allowed_congestion_control'],
  // a change of either wakes the other's check, and some kernels keep them apart only at the write
  'net.ipv4.ip_local_port_range': ['net.ipv4.ip_unprivileged_port_start', 'net.ipv4.ip_local_reserved_ports'],
  // one of each pair is set to 0 when the other is written
  'vm.dirty_ratio': ['vm.dirty_bytes'],
  'vm.dirty_bytes': ['vm.dirty_ratio'],
  'vm.dirty_background_ratio': ['vm.dirty_background_bytes'],
  'vm.dirty_background_bytes': ['vm.dirty_background_ratio'],
  'vm.overcommit_ratio': ['vm.overcommit_kbytes'],
  'vm.overcommit_kbytes': ['vm.overcommit_ratio'],
};

/** Of these, a write to "default" or "all" reaches interfaces that were never set by themselves. */
const SPREAD = /^net\.(ipv[46])\.(conf|neigh)\.(?:default|all)\.([^.]+)$/;

/** What may change along with a key in this namespace, without the key itself. */
export async function coupledKeys(key: string, netns: string, also: readonly string[] = []): Promise<string[]> {
  const setting = settingOf(key);
  const found = new Set([...also, ...(COUPLED[key] ?? [])]);
  const spread = SPREAD.exec(key);
  if (spread) {
    const [, family, folder, name] = spread;
    const pattern = sysctlPath(`net.${family}.${folder}.\u0001.${name}`).replace('\u0001', '*');
    const { paths } = await readFiles({ ...(netns === '' ? {} : { netns }), pathGlobs: [pattern] });
    for (const path of paths) found.add(sysctlName(path));
  }
  if (setting?.kind === 'ethtool') for (const one of await ethtoolKeys(setting.interface, netns)) found.add(one);
  found.delete(key);
  return [...found];
}
