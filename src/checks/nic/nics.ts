import type { Link, LinkCounters } from '../../model/snapshot/index.js';
import type { Finding } from '../check.js';
import { notApplicable, unknown } from '../findings.js';
import { growth, type NetView } from '../view.js';

/** A link with its counters at both ends of the window. */
export interface Nic {
  link: Link;
  first?: LinkCounters;
  last?: LinkCounters;
  /** Of rtnl_link_stats64: growth over the window. */
  delta(counter: string): number | undefined;
  /** The same, per second. */
  rate(counter: string): number | undefined;
}

/**
 * Whether a device of its own stands behind it, physical or given by a hypervisor. What is made of other links or of
 * nothing (veth, bridge, bond, vlan, tun, ifb, loopback) has neither rings nor interrupts nor a cable to judge.
 */
export const isDevice = (link: Link): boolean =>
  link.kind === undefined &&
  (link.type === 'ether' || link.type === 'infiniband') &&
  (link.driver !== undefined || link.bus !== undefined);

/** Links that pass the filter and are set up. */
export function linksOf(net: NetView, wanted: (link: Link) => boolean = isDevice): Nic[] {
  return net.facts.links
    .filter((link) => link.up && wanted(link))
    .map((link) => {
      const counters = net.links.find((pair) => pair.last.name === link.name);
      const delta = (counter: string) => growth(counters?.first?.standard[counter], counters?.last.standard[counter]);
      return {
        link,
        ...(counters?.first ? { first: counters.first } : {}),
        ...(counters ? { last: counters.last } : {}),
        delta,
        rate(counter) {
          const grown = delta(counter);
          return grown === undefined || !net.windowMs ? undefined : (grown * 1000) / net.windowMs;
        },
      };
    });
}

/** Receive queues: channels of both kinds where the driver tells, else what the kernel made. */
export function receiveQueues(link: Link): number | undefined {
  const { channels } = link;
  const sum = (channels?.combined ?? 0) + (channels?.rx ?? 0);
  if (sum > 0) return sum;
  return link.rxQueueList?.length ?? link.rxQueues;
}

/** How a tune names a setting of ethtool: with the field of the snapshot. */
export const ethtoolKey = (link: Link, field: string): string => `ethtool:${link.name}:${field}`;

/** The result of a check on a namespace without links to judge. Even an empty one has its loopback: none is unread. */
export const nothingToJudge = (
  net: NetView,
  words = 'no network device of its own in this namespace (only virtual links)',
): Finding =>
  net.facts.links.length === 0 ? unknown('the links of this namespace could not be read') : notApplicable(words);
