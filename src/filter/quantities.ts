import type { Quantity } from './fields.js';

const NUMBER = /^(\d{1,20}(?:\.\d{1,20})?|\.\d{1,20})(?:e([+-]?\d{1,2}))?/i;
const LARGEST = 1e18;

const TIMES: Readonly<Record<string, number>> = {
  ns: 0.001,
  us: 1,
  µs: 1,
  μs: 1,
  ms: 1e3,
  s: 1e6,
  m: 6e7,
  min: 6e7,
  h: 3.6e9,
  d: 8.64e10,
};

const PREFIXES: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
  ti: 2 ** 40,
};

export const EXPECTED: Readonly<Record<Quantity, string>> = {
  time: 'a time with its unit was expected: 500us, 1.5ms, 2s',
  bytes: 'a number of bytes was expected: 512, 64Ki, 1.5M',
  rate: 'bits per second were expected: 500k, 10M, 1Gbit/s, or 5MB/s for bytes',
  count: 'a number was expected: 0, 25, 10k',
};

/** A number with its unit, in the base unit of its kind (µs, bytes, bit/s, 1); undefined when it is none. */
export function parseQuantity(text: string, kind: Quantity): number | undefined {
  const match = NUMBER.exec(text);
  if (!match) return undefined;
  const number = Number(match[0]);
  const unit = unitOf(text.slice(match[0].length), kind, number);
  if (unit === undefined) return undefined;
  // 1.1 * 1000 is not 1100 in binary: no unit needs more digits than these.
  const value = unit === 1 ? number : Number((number * unit).toPrecision(15));
  return value <= LARGEST ? value : undefined;
}

function unitOf(unit: string, kind: Quantity, number: number): number | undefined {
  if (kind === 'time') return unit === '' && number === 0 ? 1 : own(TIMES, unit);
  if (kind === 'count') return unit.length <= 1 ? own(PREFIXES, unit.toLowerCase()) : undefined;
  const [, prefix = '', name = ''] = /^([kmgt]i?)?(.*)$/i.exec(unit) ?? [];
  const bits = kind === 'bytes' ? (/^(b|bytes?)?$/i.test(name) ? 1 : undefined) : bitsOf(name);
  const factor = own(PREFIXES, prefix.toLowerCase());
  return bits === undefined || factor === undefined ? undefined : factor * bits;
}

/** A small b is a bit, a large B a byte, and a B alone would be a size. */
function bitsOf(name: string): number | undefined {
  if (/^(|bit|bits|bit\/s|bits\/s|b\/s|bps)$/.test(name)) return 1;
  return name === 'B/s' ? 8 : undefined;
}

const own = (table: Readonly<Record<string, number>>, key: string) =>
  Object.hasOwn(table, key) ? table[key] : undefined;

/** The shortest text that parses to the same number. */
export const printQuantity = (value: number, kind: Quantity): string => `${value}${kind === 'time' ? 'us' : ''}`;
