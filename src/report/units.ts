/**
 * Numbers for columns: three or four digits and a unit. Each gives undefined for a value that is not there, which a
 * table shows as an empty cell.
 */
type Value = number | undefined;

const DECIMAL = ['', 'k', 'M', 'G', 'T', 'P'] as const;
const BITS = DECIMAL.map((prefix) => `${prefix}bit/s`);
const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** "0 B", "999 B", "64 KiB", "1.5 MiB" */
export const bytes = (value: Value) => scaled(value, 1024, BINARY, ' ');

/** "0", "999", "12.3k", "4M" */
export const count = (value: Value) => scaled(value, 1000, DECIMAL, '');

/** "9.41 Gbit/s"; from bits per second. */
export const bitRate = (value: Value) => scaled(value, 1000, BITS, ' ');

/** "0.5/s", "12/s", "3.2k/s" */
export function perSecond(value: Value): string | undefined {
  if (value === undefined) return undefined;
  if (value > 0 && value < 0.05) return '<0.1/s';
  return `${value < 10 ? digits(value, 1) : scaled(value, 1000, DECIMAL, '')}/s`;
}

/** "38 µs", "1.25 ms", "200 ms", "1.5 s"; from microseconds. */
export function microseconds(value: Value): string | undefined {
  if (value === undefined) return undefined;
  if (value < 999.5) return `${digits(value, 0)} µs`;
  return milliseconds(value / 1000);
}

/** "250 ms", "1.5 s", "12 min", "3.4 h", "5.2 d"; from milliseconds. */
export function milliseconds(value: Value): string | undefined {
  if (value === undefined) return undefined;
  if (value < 999.5) return `${significant(value)} ms`;
  if (value < 119_500) return `${significant(value / 1000)} s`;
  if (value < 7_170_000) return `${digits(value / 60_000, 0)} min`;
  if (value < 172_800_000) return `${significant(value / 3_600_000)} h`;
  return `${significant(value / 86_400_000)} d`;
}

/** "0 %", "3.4 %", "100 %"; from a share of 1. */
export const percent = (share: Value) => (share === undefined ? undefined : `${significant(share * 100)} %`);

function scaled(value: Value, step: number, units: readonly string[], space: string): string | undefined {
  if (value === undefined) return undefined;
  let [rest, unit] = [value, 0];
  while (Math.abs(rest) >= step - 0.5 && unit < units.length - 1) [rest, unit] = [rest / step, unit + 1];
  return `${unit === 0 ? digits(rest, 0) : significant(rest)}${space}${units[unit]}`;
}

/** Three digits: 1.25, 12.5, 125. */
const significant = (value: number) => digits(value, Math.abs(value) < 9.995 ? 2 : Math.abs(value) < 99.95 ? 1 : 0);

/** At most so many digits behind the point, no zeros at the end. */
const digits = (value: number, behind: number) => String(Number(value.toFixed(behind)));
