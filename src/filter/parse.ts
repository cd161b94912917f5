import {
  FILTER_FIELDS,
  type Filter,
  type FilterField,
  type FilterOperator,
  type FilterTerm,
} from '../model/views/filter.js';
import { nearest } from '../support/nearest.js';
import { prefixOf } from './addresses.js';
import { FilterError } from './error.js';
import { FIELDS, type FieldRule } from './fields.js';
import { EXPECTED, parseQuantity } from './quantities.js';
import { Scanner, type Word } from './scan.js';
import { wordOf } from './words.js';

const INVERSE: Readonly<Record<FilterOperator, FilterOperator>> = {
  '=': '!=',
  '!=': '=',
  '>': '<=',
  '>=': '<',
  '<': '>=',
  '<=': '>',
};

/**
 * Reads a filter such as `state:established port:80,443 rtt>500us !local nginx`. Terms are separated by spaces and all
 * must hold; commas separate alternatives; `!` or `-` before a term negates it; quotes keep a word together; a word on
 * its own is the beginning of a process's name, in quotes the whole name. Throws FilterError and nothing else.
 */
export function parseFilter(text: string): Filter {
  const scanner = new Scanner(text);
  const filter: Filter = [];
  for (scanner.skipSpace(); !scanner.atEnd; scanner.skipSpace()) filter.push(term(scanner));
  return filter;
}

function term(scanner: Scanner): FilterTerm {
  const negated = scanner.take(/[!-]/y) !== '';
  const start = scanner.position;
  const name = scanner.take(/[a-z]+(?=!?[:=<>])/iy);
  const found = name === '' ? loneWords(scanner) : compared(scanner, name, start);
  if (!negated) return found;
  if (FIELDS[found.field].either && found.operator !== '=' && found.operator !== '!=')
    throw new FilterError(start, `${found.field} stands for both sides: negate l${found.field} or r${found.field}`);
  return { ...found, operator: INVERSE[found.operator] };
}

function loneWords(scanner: Scanner): FilterTerm {
  if (scanner.take(/local(?=\s|$)/iy) !== '') return { field: 'local', operator: '=', values: [1] };
  const words = scanner.words('a field, a name or "local" was expected');
  for (const word of words) if (!word.quoted) rejectMistaken(word);
  const values = words.map(({ text, quoted }) => (quoted || text.endsWith('*') ? text : `${text}*`));
  return { field: 'comm', operator: '=', values };
}

/** What looks like the value of another field would match no process's name, and nobody would know why. */
function rejectMistaken({ text, position }: Word): void {
  const meant = meantBy(text);
  if (meant === undefined) return;
  throw new FilterError(position, `did you mean ${meant}? A process of this name is "${text}" in quotes`);
}

function meantBy(text: string): string | undefined {
  if (/^\d+$/.test(text)) return `port:${text} or pid:${text}`;
  if (prefixOf(text) !== undefined) return `addr:${text}`;
  if (FIELDS.state.words?.includes(text)) return `state:${text}`;
  return FILTER_FIELDS.some((field) => field === text) ? `${text} with : < or > and a value` : undefined;
}

function compared(scanner: Scanner, name: string, start: number): FilterTerm {
  const field = fieldOf(name, start);
  const rule = FIELDS[field];
  const at = scanner.position;
  const sign = scanner.take(/!=|!:|>=|<=|[:=<>]/y);
  if (sign === '') throw new FilterError(at, 'one of : = != > >= < <= was expected');
  if (rule.kind === 'flag') throw new FilterError(at, `${field} stands alone: ${field} or !${field}`);
  const operator = sign === ':' ? '=' : sign === '!:' ? '!=' : (sign as FilterOperator);
  const ordered = operator !== '=' && operator !== '!=';
  if (ordered && (rule.words || ['text', 'address', 'peer'].includes(rule.kind)))
    throw new FilterError(at, `${field} has no order: : or != was expected, not ${sign}`);
  const values = scanner.words(expectedOf(field, rule));
  if (ordered && values[1]) throw new FilterError(values[1].position, `${sign} compares with one value only`);
  return { field, operator, values: values.map((word) => parsedValue(word, field, rule)) };
}

function fieldOf(name: string, position: number): FilterField {
  const field = FILTER_FIELDS.find((known) => known === name.toLowerCase());
  if (field) return field;
  const like = nearest(name, FILTER_FIELDS);
  const hint = like.length > 0 ? `did you mean ${like.join(', ')}?` : `there are: ${FILTER_FIELDS.join(', ')}`;
  throw new FilterError(position, `there is no field "${name}"; ${hint}`);
}

function expectedOf(field: FilterField, { kind, words }: FieldRule): string {
  if (words) return `a ${field} was expected: ${words.join(', ')}`;
  if (kind === 'port') return 'a port from 0 to 65535 was expected';
  if (kind === 'integer') return 'a whole number was expected';
  if (kind === 'address') return 'an address or a prefix was expected: 10.0.0.1, 10.0.0.0/8, 2001:db8::/32';
  if (kind === 'peer') return 'the name or the pid of the peer was expected';
  if (kind === 'text' || kind === 'flag') return `a ${field} was expected`;
  return EXPECTED[kind];
}

function parsedValue(word: Word, field: FilterField, rule: FieldRule): string | number {
  const value = read(word, field, rule);
  if (value === undefined) throw new FilterError(word.position, `${expectedOf(field, rule)}; not "${word.text}"`);
  return value;
}

function read({ text, position }: Word, field: FilterField, { kind, words }: FieldRule): string | number | undefined {
  if (words) return wordOf(text, position, field, words);
  if (kind === 'text') return text;
  if (kind === 'address') return prefixOf(text);
  if (kind === 'peer') return /^\d{1,10}$/.test(text) ? Number(text) : text;
  if (kind === 'integer' || kind === 'port') {
    const number = /^\d{1,15}$/.test(text) ? Number(text) : undefined;
    return kind === 'port' && number !== undefined && number > 65_535 ? undefined : number;
  }
  return kind === 'flag' ? undefined : parseQuantity(text, kind);
}
