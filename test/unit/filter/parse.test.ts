import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FilterError } from '../../../src/filter/error.js';
import { FIELDS, STATES } from '../../../src/filter/fields.js';
import { parseFilter } from '../../../src/filter/parse.js';
import { printFilter } from '../../../src/filter/print.js';
import { FILTER_FIELDS, type FilterField, type FilterTerm } from '../../../src/model/views/filter.js';

const failure = (text: string): FilterError => {
  try {
    parseFilter(text);
  } catch (error) {
    if (error instanceof FilterError) return error;
    throw error;
  }
  throw new Error(`${text} was accepted`);
};

describe('what is wrong is said with its place and what was expected', () => {
  test.each([
    ['state:estab prot:80', 12, 'there is no field "prot"; did you mean port'],
    ['zzzzzz:80', 0, 'there are: pid, comm, fd'],
    ['state:estblished', 6, 'did you mean established'],
    ['limit:cpu', 6, 'there are: application, receive-window'],
    ['rtt>500', 4, '500us, 1.5ms, 2s; not "500"'],
    ['rtt>', 4, 'a time with its unit was expected'],
    ['rtt>fast', 4, 'not "fast"'],
    ['port:80,', 8, 'a port from 0 to 65535 was expected'],
    ['port:70000', 5, 'not "70000"'],
    ['pid:1.5', 4, 'a whole number was expected'],
    ['sendq>1Xi', 6, 'a number of bytes'],
    ['tx>10MB', 3, '5MB/s for bytes'],
    ['rtt>1ms,2ms', 8, '> compares with one value only'],
    ['comm>a', 4, 'comm has no order'],
    ['state<=listen', 5, 'state has no order'],
    ['comm:"a b', 5, 'the quote is not closed'],
    ['comm:"a"b', 8, 'a space or a comma'],
    ['comm:""', 5, 'a comm was expected'],
    ['local:yes', 5, 'local stands alone'],
    ['addr:10.0.0.0/33', 5, 'an address or a prefix'],
    ['addr:nowhere', 5, 'an address or a prefix'],
    ['!port>80', 1, 'negate lport or rport'],
    ['nginx !', 7, 'a field, a name or "local"'],
    ['443', 0, 'port:443 or pid:443'],
    ['10.0.0.1', 0, 'addr:10.0.0.1'],
    ['listen', 0, 'state:listen'],
    ['rtt', 0, 'rtt with : < or >'],
    ['cwnd>1e99', 5, 'a number was expected'],
  ])('%s', (text, position, problem) => {
    const error = failure(text);
    expect(error.problem).toContain(problem);
    expect(error.position).toBe(position);
    expect(error.code).toBe(2);
    expect(error.message).toContain(`column ${position + 1}`);
    expect(error.next).toContain('Example');
  });
});

describe('units', () => {
  test.each([
    ['rtt>100ns', 0.1],
    ['rtt>1.1ms', 1100],
    ['rtt>2µs', 2],
    ['rtt>0', 0],
    ['age>1.5h', 5.4e9],
    ['sent>1.5k', 1500],
    ['sent>1KiB', 1024],
    ['sent>2GB', 2e9],
    ['tx>1bit', 1],
    ['tx>1Mbps', 1e6],
    ['tx>1Kib/s', 1024],
    ['tx>1B/s', 8],
    ['retrans>2k', 2000],
    ['cwnd>1e3', 1000],
  ])('%s', (text, value) => expect(parseFilter(text)[0]?.values).toEqual([value]));
});

const text = fc
  .string({ unit: 'grapheme', minLength: 1 })
  .filter((value) => value !== '*')
  .map((value) => value.normalize());
const number = fc.oneof(fc.nat(), fc.double({ min: 1e-3, max: 1e15, noNaN: true }));

function arbitraryValue(field: FilterField): fc.Arbitrary<string | number> {
  const { kind, words } = FIELDS[field];
  if (words) return fc.constantFrom(...words, `${words[0]?.slice(0, 3)}*`);
  if (kind === 'text') return text;
  if (kind === 'integer') return fc.nat();
  if (kind === 'port') return fc.nat(65_535);
  if (kind === 'peer')
    return fc.oneof(
      fc.nat(),
      text.filter((value) => !/^\d+$/.test(value)),
    );
  if (kind === 'flag') return fc.constant(1);
  if (kind !== 'address') return number;
  return fc.oneof(
    fc.tuple(fc.ipV4(), fc.nat(32)).map(([base, bits]) => `${base}/${bits}`),
    fc.tuple(fc.nat(0xffff), fc.nat(128)).map(([group, bits]) => `2001:db8::${group.toString(16)}/${bits}`),
  );
}

function termOf(field: FilterField): fc.Arbitrary<FilterTerm> {
  const { kind, words } = FIELDS[field];
  const equal = fc.record({
    field: fc.constant(field),
    operator: fc.constantFrom('=' as const, '!=' as const),
    values: fc.array(arbitraryValue(field), { minLength: 1, maxLength: kind === 'flag' ? 1 : 3 }),
  });
  if (words || kind === 'text' || kind === 'address' || kind === 'peer' || kind === 'flag') return equal;
  const ordered = fc.record({
    field: fc.constant(field),
    operator: fc.constantFrom('>' as const, '>=' as const, '<' as const, '<=' as const),
    values: fc.array(arbitraryValue(field), { minLength: 1, maxLength: 1 }),
  });
  return fc.oneof(equal, ordered);
}

describe('for every filter and every text', () => {
  test('what is printed is read back as the same filter', () => {
    const filters = fc.array(fc.constantFrom(...FILTER_FIELDS).chain(termOf));
    fc.assert(
      fc.property(filters, (filter) => {
        expect(parseFilter(printFilter(filter))).toEqual(filter);
      }),
    );
  });

  test('nothing but a FilterError is thrown, and its place lies in the text', () => {
    const pieces = fc.constantFrom(...FILTER_FIELDS, ...STATES, ...' :=<>!,"-*/.\\µ', '10', 'ms', 'Ki', '[::1]');
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(pieces, { maxLength: 12 }).map((p) => p.join('')),
    );
    fc.assert(
      fc.property(texts, (anything) => {
        try {
          const filter = parseFilter(anything);
          expect(parseFilter(printFilter(filter))).toEqual(filter);
        } catch (error) {
          expect(error).toBeInstanceOf(FilterError);
          expect((error as FilterError).position).toBeLessThanOrEqual(anything.length);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
