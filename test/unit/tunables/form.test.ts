import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bounded, isLess, problemOf, raised } from '../../../src/tunables/form.js';

const three = { type: 'numbers', count: 3, least: 1, most: 1_000_000 } as const;
const span = { type: 'span', least: 1, most: 65_535 } as const;
const limit = { type: 'limit' } as const;

const triple = fc.tuple(...[1, 2, 3].map(() => fc.integer({ min: 1, max: 1_000_000 }))).map((row) => row.join(' '));
const range = fc
  .tuple(fc.integer({ min: 1, max: 65_535 }), fc.integer({ min: 1, max: 65_535 }))
  .map(([a, b]) => `${Math.min(a, b)} ${Math.max(a, b)}`);

describe('forms of values', () => {
  it.each([
    [three, '1 2 3', true],
    [three, '1 2', false],
    [three, '0 2 3', false],
    [three, '1 2 x', false],
    [span, '1024 65535', true],
    [span, '65535 1024', false],
    [limit, '1024:unlimited', true],
    [limit, '2048:1024', false],
    [limit, '1024', false],
    [{ type: 'cpus' } as const, 'ff,00000000', true],
    [{ type: 'cpus' } as const, '0-3,8', true],
    [{ type: 'cpus' } as const, 'all', false],
    [{ type: 'ports' } as const, '', true],
    [{ type: 'ports' } as const, '80,8000-8100', true],
    [{ type: 'ports' } as const, '80; rm -rf /', false],
    [{ type: 'name' } as const, 'bbr', true],
    [{ type: 'name' } as const, 'b br', false],
  ])('%o takes "%s": %s', (form, value, fits) => {
    expect(problemOf(form, value) === undefined).toBe(fits);
  });

  it('raising lowers nothing, in any place, whatever is wanted and whatever the default is', () => {
    fc.assert(
      fc.property(
        triple,
        fc.array(triple, { minLength: 1 }),
        fc.option(triple, { nil: undefined }),
        (from, wanted, usual) => {
          const to = raised(three, from, wanted, usual);
          expect(isLess(three, from, to)).toBe(false);
          for (const one of wanted) expect(isLess(three, one, to)).toBe(false);
        },
      ),
    );
    fc.assert(
      fc.property(range, range, (from, wanted) => {
        const to = raised(span, from, [wanted], undefined);
        expect(problemOf(span, to)).toBeUndefined();
        expect(isLess(span, from, to)).toBe(false);
      }),
    );
  });

  it('raises a place that is raised to the default at least, and leaves the others alone', () => {
    expect(raised(three, '10 20 30', ['10 20 40'], '100 200 300')).toBe('10 20 300');
    expect(raised(limit, '1024:4096', ['65536:65536'], undefined)).toBe('65536:65536');
    expect(raised(limit, '1024:unlimited', ['65536:65536'], undefined)).toBe('65536:unlimited');
    expect(raised(span, '32768 60999', ['16384 60999'], '32768 60999')).toBe('16384 60999');
  });

  it('stays within the range', () => {
    expect(bounded(three, '1 2 2000000')).toBe('1 2 1000000');
  });
});
