import { readdirSync } from 'node:fs';
import type { Gap } from '../model/gap.js';
import type { Link } from '../model/snapshot/index.js';
import { addInterrupts, affinityFiles, interruptsOf } from './link-interrupts.js';
import { addSysfs, sysfsFiles } from './link-sysfs.js';
import {
  type FilesAnswer,
  type LinkCountersAnswer,
  type LinksAnswer,
  readFiles,
  readLinkCounters,
  readLinks,
} from './native.js';

/**
 * Links, addresses and routes of a network namespace ("/run/netns/NAME", "/proc/PID/ns/net", or "" for our own), and
 * the first reading of the links' counters. Our own needs no privilege; another one CAP_SYS_ADMIN.
 */
export async function collectLinks(netns: string): Promise<LinksAnswer> {
  const answer = await readLinks({ netns });
  const sysfs = await readSysfs(netns, answer.links);
  const interrupts = interruptsOf(answer.links, sysfs);
  const affinity = await readFiles({ files: affinityFiles(interrupts) });
  const links = answer.links.map((link) => addInterrupts(addSysfs(link, sysfs), interrupts, affinity.files));
  return { ...answer, links, gaps: [...answer.gaps, ...sysfs.gaps] };
}

/** Only the counters: what a later reading of the same window needs; `standardOnly`: without those of the drivers. */
export function collectLinkCounters(netns: string, standardOnly = false): Promise<LinkCountersAnswer> {
  return readLinkCounters({ netns, standardOnly });
}

/**
 * /sys shows the links of the namespace in which it was mounted: ours only when that is where we are (`nsenter --net`
 * changes the namespace and keeps /sys). Otherwise a fresh one is mounted, which needs CAP_SYS_ADMIN.
 */
async function readSysfs(netns: string, links: readonly Link[]): Promise<FilesAnswer> {
  const request = sysfsFiles(links);
  if (netns !== '') return readFiles({ ...request, netns, ownSysfs: true });
  if (sameNames(links)) {
    const answer = await readFiles(request);
    if (links.every((link) => sameDevice(link, answer))) return answer;
  }
  const fresh = await readFiles({ ...request, netns: '/proc/self/ns/net', ownSysfs: true });
  return { ...fresh, gaps: fresh.gaps.map(otherNamespace) };
}

function sameNames(links: readonly Link[]): boolean {
  try {
    const shown = readdirSync('/sys/class/net').filter((name) => name !== 'bonding_masters');
    return shown.length === links.length && links.every((link) => shown.includes(link.name));
  } catch {
    return false;
  }
}

function sameDevice(link: Link, { files }: FilesAnswer): boolean {
  const read = (name: string) => files[`/sys/class/net/${link.name}/${name}`]?.trim();
  return Number(read('ifindex')) === link.index && (read('address') ?? '') === (link.macAddress ?? '');
}

function otherNamespace(gap: Gap): Gap {
  return { ...gap, probe: 'links', what: '/sys, which shows another network namespace' };
}
