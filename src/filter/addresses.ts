import { contains } from '../support/addresses.js';

/** "10.0.0.1", "10.0.0.0/8", "2001:db8::/32", "[::1]" as a prefix with its length; undefined when it is none. */
export function prefixOf(text: string): string | undefined {
  const [, bracketed, plain, , length] = /^(?:\[([^\]]*)\]|([^/]*))(\/(\d{1,3}))?$/.exec(text.toLowerCase()) ?? [];
  const base = (bracketed ?? plain)?.replace(/^::ffff:(?=\d+\.)/, '');
  if (!base || base.includes('%') || !contains(`${base}/0`, base)) return undefined;
  const bits = base.includes(':') ? 128 : 32;
  const used = length === undefined ? bits : Number(length);
  return used > bits ? undefined : `${base}/${used}`;
}

/** "10.0.0.1:80" or "[::1]:80" in its two parts. */
export function endpoint(text: string): { address: string; port: number } {
  const colon = text.lastIndexOf(':');
  return { address: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}
