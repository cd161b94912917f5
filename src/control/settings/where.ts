import type { Setting } from '../../model/tune/keys.js';
import { sysctlPath } from '../../probes/sysctl-names.js';

/** Where a setting's file is and how it is reached. */
export interface Place {
  path: string;
  /** Left out: our own namespace. */
  netns?: string;
  ownSysfs?: boolean;
}

/**
 * The file of a sysctl or a sysfs setting. /sys shows the interfaces of the namespace in which it was mounted, which need
 * not be ours (`ip netns exec`, `unshare --net`): those are reached through a fresh one.
 */
export function placeOf(setting: Extract<Setting, { kind: 'sysctl' | 'sysfs' }>, netns: string): Place {
  if (setting.kind === 'sysctl') return { path: sysctlPath(setting.name), ...(netns === '' ? {} : { netns }) };
  if (!isInterfaceFile(setting.path)) return { path: setting.path };
  return { path: setting.path, netns: netns === '' ? '/proc/self/ns/net' : netns, ownSysfs: true };
}

const isInterfaceFile = (path: string): boolean => path.startsWith('/sys/class/net/');
