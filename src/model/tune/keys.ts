// How a setting is named, everywhere: in a finding's remedy, a plan, the journal, --only and --skip.

export const KINDS = ['sysctl', 'ethtool', 'sysfs', 'limit'] as const;

export type Kind = (typeof KINDS)[number];

/** What a key means. */
export type Setting =
  /** As sysctl(8) prints it: "net.ipv4.tcp_rmem". The value is one line: "4096 131072 33554432". */
  | { kind: 'sysctl'; name: string }
  /** "ethtool:eth0:rings.rx", with the field of the snapshot's Link. The value is a number, "on" or "off". */
  | { kind: 'ethtool'; interface: string; field: string }
  /** A file below /sys or /proc/irq. Of a file that shows a choice ("always [madvise] never") the value is the chosen word. */
  | { kind: 'sysfs'; path: string }
  /** "limit:1234:nofile". The value is "SOFT:HARD", each a number or "unlimited". */
  | { kind: 'limit'; pid: number; resource: string };

/** Reads a key; undefined when it is none. */
export function settingOf(key: string): Setting | undefined {
  const parts = key.split(':');
  if (parts[0] === 'ethtool' && parts.length >= 3)
    return { kind: 'ethtool', interface: parts.slice(1, -1).join(':'), field: parts.at(-1) as string };
  const limit = /^limit:([1-9]\d*):([a-z]+)$/.exec(key);
  if (limit) return { kind: 'limit', pid: Number(limit[1]), resource: limit[2] as string };
  if (/^(?!.*\/\.\.?(\/|$))\/(sys|proc\/irq)\//.test(key)) return { kind: 'sysfs', path: key };
  if (/^(net|fs|vm|kernel)\.[^\s:]+$/.test(key) && !/(^|\.)\.|\/\//.test(key)) return { kind: 'sysctl', name: key };
  return undefined;
}

/** The interface that a key belongs to; undefined for one that belongs to none. */
export function interfaceOf(key: string): string | undefined {
  const setting = settingOf(key);
  if (setting?.kind === 'ethtool') return setting.interface;
  return setting?.kind === 'sysfs' ? /^\/sys\/class\/net\/([^/]+)\//.exec(setting.path)?.[1] : undefined;
}
