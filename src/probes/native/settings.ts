import { addon } from './addon.js';

export interface SettingFileRequest {
  netns?: string;
  /** Through a /sys that shows the devices of that namespace. */
  ownSysfs?: boolean;
  path: string;
  /** Left out: only whether the file could be opened for writing. */
  text?: string;
}

export interface EthtoolSetRequest {
  netns?: string;
  link: string;
  /** As in the snapshot's Link: "rings.rx", "coalescing.adaptiveRx", "features.rx-gro". */
  field: string;
  /** A number; 0 and 1 for off and on. */
  value: number;
}

export interface LimitRequest {
  pid: number;
  resource: string;
  /** Numbers as text, or "unlimited". */
  soft: string;
  hard: string;
}

/** `errno` (a name, "EACCES") where it was not done. */
export interface WriteAnswer {
  errno?: string;
  /** What was being done. */
  what?: string;
}

export interface NetnsIdentityAnswer extends WriteAnswer {
  id?: string;
  /** Never used again until the host is restarted; Linux 5.14. */
  cookie?: string;
}

/** What the addon exports of it. */
interface Part {
  writeSettingFile(request: SettingFileRequest): Promise<string>;
  setEthtool(request: EthtoolSetRequest): Promise<string>;
  setLimit(request: LimitRequest): Promise<string>;
  netnsIdentity(netns: string): Promise<string>;
  tryLock(fd: number): boolean;
}

/** Writes one setting into its file, whole; never makes a file. */
export async function writeSettingFile(request: SettingFileRequest): Promise<WriteAnswer> {
  return JSON.parse(await addon<Part>().writeSettingFile(request)) as WriteAnswer;
}

/** Sets one field of a link; the driver may round it, and change others. Needs CAP_NET_ADMIN and Linux 5.8. */
export async function setEthtool(request: EthtoolSetRequest): Promise<WriteAnswer> {
  return JSON.parse(await addon<Part>().setEthtool(request)) as WriteAnswer;
}

/** prlimit(2). */
export async function setLimit(request: LimitRequest): Promise<WriteAnswer> {
  return JSON.parse(await addon<Part>().setLimit(request)) as WriteAnswer;
}

/** Which network namespace a path leads to; "" is our own. */
export async function netnsIdentityOf(netns: string): Promise<NetnsIdentityAnswer> {
  return JSON.parse(await addon<Part>().netnsIdentity(netns)) as NetnsIdentityAnswer;
}

/** flock(2) without waiting; false: somebody else has it. It is held until the descriptor is closed. */
export function tryLock(fd: number): boolean {
  return addon<Part>().tryLock(fd);
}
