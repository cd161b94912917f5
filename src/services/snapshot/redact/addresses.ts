import type { Keyed } from './keyed.js';

/**
 * Masks of IP addresses that keep what checks look at: two addresses share as many leading bits after masking as before
 * (Xu et al., "Prefix-preserving IP address anonymization", ICNP 2002), and the leading bits that say loopback, private,
 * link-local, multicast or public stay as they are.
 */
export function maskIpv4(text: string, key: Keyed): string {
  const bits = text
    .split('.')
    .map((octet) => Number(octet).toString(2).padStart(8, '0'))
    .join('');
  const masked = maskBits(bits, keptIpv4(bits), key, '4');
  return masked
    .match(/.{8}/g)
    ?.map((octet) => Number.parseInt(octet, 2))
    .join('.') as string;
}

/** Any spelling of an IPv6 address; eight full groups stay eight full groups (GIDs). */
export function maskIpv6(text: string, key: Keyed): string {
  const groups = expandIpv6(text);
  const bits = groups.map((group) => group.toString(2).padStart(16, '0')).join('');
  const embedded = ipv4Inside(groups);
  const masked = embedded
    ? bits.slice(0, 96) + maskBits(bits.slice(96), keptIpv4(bits.slice(96)), key, '4')
    : maskBits(bits, keptIpv6(groups), key, '6');
  const out = (masked.match(/.{16}/g) ?? []).map((group) => Number.parseInt(group, 2));
  if (text.length === 39) return out.map((group) => group.toString(16).padStart(4, '0')).join(':');
  if (text.includes('.')) {
    const [high = 0, low = 0] = out.slice(6);
    return `${text.slice(0, text.lastIndexOf(':') + 1)}${[high >> 8, high & 255, low >> 8, low & 255].join('.')}`;
  }
  return compress(out);
}

function maskBits(bits: string, kept: number, key: Keyed, family: string): string {
  let masked = bits.slice(0, kept);
  for (let i = kept; i < bits.length; i++) masked += Number(bits[i]) ^ key.bit(`${family}/${bits.slice(0, i)}`);
  return masked;
}

/** Leading bits that keep an address in its class. Public ones keep the octets that set them apart from a private range. */
function keptIpv4(bits: string): number {
  const [a = 0, b = 0] = (bits.match(/.{8}/g) ?? []).map((octet) => Number.parseInt(octet, 2));
  if (a === 0 || a === 127 || a >= 224) return 32;
  if (a === 10) return 8;
  if (a === 172 && b >= 16 && b < 32) return 12;
  if (a === 100 && b >= 64 && b < 128) return 10;
  if ([100, 169, 172, 192, 198, 203].includes(a)) return 16;
  return 8;
}

function keptIpv6(groups: readonly number[]): number {
  const [first = 0] = groups;
  if (groups.slice(0, 7).every((group) => group === 0)) return 128;
  if ((first & 0xff00) === 0xff00) return 128;
  if ((first & 0xffc0) === 0xfe80) return 64;
  if ((first & 0xfe00) === 0xfc00) return 8;
  return 16;
}

/** ::ffff:a.b.c.d (also as a RoCE v2 GID) and the well-known prefix of NAT64 hold an IPv4 address. */
function ipv4Inside(groups: readonly number[]): boolean {
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  const nat64 = groups[0] === 0x64 && groups[1] === 0xff9b && groups.slice(2, 6).every((group) => group === 0);
  return mapped || nat64;
}

function expandIpv6(text: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  const plain = dotted
    ? `${dotted[1]}${(Number(dotted[2]) * 256 + Number(dotted[3])).toString(16)}:${(Number(dotted[4]) * 256 + Number(dotted[5])).toString(16)}`
    : text;
  const [head = '', tail] = plain.split('::');
  const groupsOf = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const [left, right] = [groupsOf(head), groupsOf(tail ?? '')];
  return [...left, ...new Array<number>(Math.max(0, 8 - left.length - right.length)).fill(0), ...right];
}

/** RFC 5952: the longest run of zero groups becomes "::". */
function compress(groups: readonly number[]): string {
  let [best, length] = [-1, 1];
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (i + run < 8 && groups[i + run] === 0) run++;
    if (run > length) [best, length] = [i, run];
  }
  const text = (part: readonly number[]) => part.map((group) => group.toString(16)).join(':');
  return best === -1 ? text(groups) : `${text(groups.slice(0, best))}::${text(groups.slice(best + length))}`;
}
