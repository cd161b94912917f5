import type { Evidence } from '../model/results.js';

const BINARY = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];

/** A number as it was read, with its unit; large byte counts also in the unit that people think in. */
function valueText(value: Evidence['value'], unit: string): string {
  if (typeof value !== 'number') return unit === '' || unit === '1' ? String(value) : `${value} ${unit}`;
  const number = grouped(value);
  if (unit === '1' || unit === '') return number;
  if (unit === '%') return `${number} %`;
  if (unit === 'bytes' && Math.abs(value) >= 1024) return `${number} bytes (${bytesText(value)})`;
  return `${number} ${unit}`;
}

/** "7.6 GiB" */
export function bytesText(bytes: number): string {
  let [value, step] = [bytes, 0];
  while (Math.abs(value) >= 1024 && step < BINARY.length - 1) [value, step] = [value / 1024, step + 1];
  return `${Number(value.toFixed(value < 10 ? 1 : 0))} ${BINARY[step]}`;
}

/** "250 ms", "1 s", "2.5 s", "10 min" */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${Number((ms / 1000).toFixed(1))} s`;
  return `${Number((ms / 60_000).toFixed(1))} min`;
}

const SCOPES = { window: ' in the window', total: ' in total', now: '' } as const;

/** One line per number that was read: the readings of one key from one place stand together. */
export function evidenceTexts(evidence: readonly Evidence[], subject: (e: Evidence) => string): string[] {
  const groups = new Map<string, Evidence[]>();
  for (const item of evidence) {
    const key = JSON.stringify([item.source, item.key, subject(item)]);
    groups.set(key, [...(groups.get(key) ?? []), item]);
  }
  return [...groups.values()].map((items) => {
    const [{ key, source } = { key: '', source: '' }] = items;
    const about = items[0] ? subject(items[0]) : '';
    const values = items.map((item) => {
      const grown = item.scope === 'window' && typeof item.value === 'number' && item.value > 0;
      return `${grown ? '+' : ''}${valueText(item.value, item.unit)}${SCOPES[item.scope ?? 'now']}`;
    });
    return `${key}${about ? ` of ${about}` : ''}: ${values.join(', ')} (${source})`;
  });
}

/** Thousands apart: 1,234,567. */
function grouped(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const rounded = Number.isInteger(value) ? value : Number(value.toPrecision(4));
  return Math.abs(rounded) < 10_000 ? String(rounded) : rounded.toLocaleString('en-US', { maximumFractionDigits: 3 });
}

/** An ISO time for people, in UTC as it is: "2026-01-02 03:04:05". */
export const timeText = (iso: string): string => iso.replace('T', ' ').replace(/\..*/, '');
