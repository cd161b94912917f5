import type { Link, NetnsFacts } from '../../model/snapshot/index.js';

/** Interfaces that are up and carry a default route or another route through a gateway: ways off this host. */
export function uplinks(facts: NetnsFacts): Link[] {
  const routed = new Set(
    facts.routes.filter((route) => route.gateway !== undefined).flatMap((route) => route.interface ?? []),
  );
  return facts.links.filter((link) => link.up && link.type !== 'loopback' && routed.has(link.name));
}

/** Interfaces that are up and have an address that others can reach. */
export function addressed(facts: NetnsFacts): Link[] {
  const global = new Set(facts.addresses.filter((a) => a.scope === 'global').map((a) => a.interface));
  return facts.links.filter((link) => link.up && link.type !== 'loopback' && global.has(link.name));
}

/** Whether the namespace could send IPv6 beyond its own link at all. */
export const hasGlobalIpv6 = (facts: NetnsFacts): boolean =>
  facts.addresses.some((a) => a.family === 'inet6' && a.scope === 'global');
