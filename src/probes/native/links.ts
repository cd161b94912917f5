import type { Gap } from '../../model/gap.js';
import type { Address, Link, LinkCounters, Route } from '../../model/snapshot/index.js';
import { addon } from './addon.js';

export interface LinksRequest {
  /** Network namespace to enter; left out: our own. */
  netns?: string;
  /** Only what moves. */
  countersOnly?: boolean;
  /** Of what moves only what rtnetlink has: without the statistics of the drivers, which may be thousands. */
  standardOnly?: boolean;
  /** Do without ethtool's netlink family, as on kernels before 5.6; for tests of that way. */
  ethtoolIoctlOnly?: boolean;
}

export interface LinkCountersAnswer {
  counters: LinkCounters[];
  gaps: Gap[];
}

/** `links` without what only sysfs knows: src/probes/links.ts adds that. */
export interface LinksAnswer extends LinkCountersAnswer {
  links: Link[];
  addresses: Address[];
  routes: Route[];
}

/** What the addon exports of it. */
interface Part {
  links(request: LinksRequest): Promise<string>;
}

/** Links, addresses and routes of a network namespace, and the counters of the links. */
export async function readLinks(request: Omit<LinksRequest, 'countersOnly'>): Promise<LinksAnswer> {
  return JSON.parse(await addon<Part>().links(request)) as LinksAnswer;
}

/** Only the counters of the links of a network namespace. */
export async function readLinkCounters(request: Omit<LinksRequest, 'countersOnly'>): Promise<LinkCountersAnswer> {
  return JSON.parse(await addon<Part>().links({ ...request, countersOnly: true })) as LinkCountersAnswer;
}
