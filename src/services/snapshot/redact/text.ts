import { isIPv4, isIPv6 } from 'node:net';
import { maskIpv4, maskIpv6 } from './addresses.js';
import type { Keyed } from './keyed.js';

const IPV4 = /(?<![\w.])(\d{1,3}(?:\.\d{1,3}){3})(\/\d{1,2})?(?!\w|\.\d)/g;
const IPV6 = /(?<![\w:.])((?:[0-9a-f]{0,4}:){2,7}(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{0,4}))(\/\d{1,3})?(?![\w:])/gi;
const MAC = /(?<![\w:])[0-9a-f]{2}(?::[0-9a-f]{2}){5,19}(?![\w:])/gi;
const UUID = /[0-9a-f]{8}([-_])[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}(?![0-9a-f])/gi;
/** Ids of containers, of pods without dashes, of Docker's bridges (br-…): at least one letter, so that no number is one. */
const LONG_HEX = /(?<![0-9a-z])(?=[0-9]*[a-f])[0-9a-f]{12,128}(?![0-9a-z])/gi;

/** Masks whatever in a text tells who or where it is, wherever it stands; the rest stays readable. */
export function maskText(text: string, key: Keyed): string {
  return text
    .replace(MAC, (mac) => maskMac(mac, key))
    .replace(UUID, (uuid) => maskHex(uuid, key))
    .replace(IPV6, (whole, address: string, length = '') =>
      isIPv6(address) ? withLength(address, maskIpv6(address, key), length) : whole,
    )
    .replace(IPV4, (whole, address: string, length = '') =>
      isIPv4(address) ? withLength(address, maskIpv4(address, key), length) : whole,
    )
    .replace(LONG_HEX, (id) => maskHex(id, key));
}

/** The same shape with other digits. */
function maskHex(text: string, key: Keyed): string {
  const digits = key.hex(`hex/${text.replace(/[-_]/g, '').toLowerCase()}`, 64);
  let at = 0;
  return text.replace(/[0-9a-f]/gi, () => digits[at++ % 64] as string);
}

/** Keeps the bits that say group and locally administered, and all zeros or ones. */
function maskMac(mac: string, key: Keyed): string {
  if (/^(00:?)+$/.test(mac) || /^(ff:?)+$/i.test(mac)) return mac;
  const masked = maskHex(mac, key).split(':');
  const kept = Number.parseInt(mac.slice(0, 2), 16) & 0x03;
  masked[0] = ((Number.parseInt(masked[0] as string, 16) & 0xfc) | kept).toString(16).padStart(2, '0');
  return masked.join(':');
}

/** 10.1.2.0/24 has no host bits; its mask must have none either. */
function withLength(address: string, masked: string, length: string): string {
  if (length === '' || address.includes(':')) return masked + length;
  const shift = 32 - Number(length.slice(1));
  if (shift <= 0 || shift > 32) return masked + length;
  const toNumber = (text: string) => text.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
  const size = 2 ** shift;
  if (toNumber(address) % size !== 0) return masked + length;
  const base = Math.floor(toNumber(masked) / size) * size;
  return [24, 16, 8, 0].map((at) => Math.floor(base / 2 ** at) % 256).join('.') + length;
}
