import type { RdmaGid, RdmaPort } from '../../model/snapshot/index.js';

/** What the address in a GID is good for, between hosts. */
export type GidReach = 'ipv4' | 'ipv6' | 'link-local' | 'other';

/** GIDs are IPv6 addresses; IPv4 addresses stand in them as ::ffff:a.b.c.d (RoCE v2, annex A17 of the InfiniBand specification). */
export function gidReach(gid: string): GidReach {
  const groups = gid.split(':').map((group) => Number.parseInt(group, 16));
  if (groups.length !== 8 || groups.some((group) => Number.isNaN(group))) return 'other';
  const [first = 0, , , , , sixth = 0, seventh = 0] = groups;
  if (groups.slice(0, 5).every((group) => group === 0) && sixth === 0xffff) {
    const top = seventh >> 8;
    if (seventh === 0xa9fe) return 'link-local'; // 169.254.0.0/16
    return top === 0 || top === 127 || top >= 224 ? 'other' : 'ipv4';
  }
  if ((first & 0xffc0) === 0xfe80) return 'link-local';
  // Global unicast (2000::/3) and unique local (fc00::/7) addresses are routed; multicast, ::1 and the rest are not.
  return (first & 0xe000) === 0x2000 || (first & 0xfe00) === 0xfc00 ? 'ipv6' : 'other';
}

/** As people write it: the IPv4 address, else the GID as sysfs prints it. */
export function gidAddress(gid: string): string {
  if (gidReach(gid) !== 'ipv4') return gid;
  const [high = 0, low = 0] = gid
    .split(':')
    .slice(6)
    .map((group) => Number.parseInt(group, 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

export const isRoceV2 = ({ type }: RdmaGid): boolean => type !== undefined && /RoCE v2/i.test(type);

/** By which a peer behind a router can be reached; the first is as good as any: pick by address, never by index. */
export const routableGid = (port: RdmaPort): RdmaGid | undefined =>
  port.gids.find((gid) => isRoceV2(gid) && ['ipv4', 'ipv6'].includes(gidReach(gid.gid)));
