import type { Filter, FilterField, FilterTerm } from '../model/views/filter.js';
import { FIELDS } from './fields.js';
import { printQuantity } from './quantities.js';
import { quoted } from './scan.js';

/** A filter as a text that parses to the same filter. */
export function printFilter(filter: Filter): string {
  return filter.map(printTerm).join(' ');
}

function printTerm({ field, operator, values }: FilterTerm): string {
  if (FIELDS[field].kind === 'flag') return operator === '=' ? field : `!${field}`;
  return `${field}${operator === '=' ? ':' : operator}${values.map((value) => printValue(field, value)).join(',')}`;
}

function printValue(field: FilterField, value: string | number): string {
  const { kind } = FIELDS[field];
  if (typeof value === 'string') return quoted(value);
  return kind === 'time' ? printQuantity(value, kind) : String(value);
}
