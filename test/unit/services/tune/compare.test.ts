import { describe, expect, it } from 'vitest';
import type { Measurement } from '../../../../src/model/tune/effect.js';
import { compare } from '../../../../src/services/tune/effect/compare.js';
import type { Measured } from '../../../../src/services/tune/effect/measure.js';

const of = (value: number | undefined, load: number | undefined, more: Partial<Measured> = {}): Measured => ({
  symptom: 'overflows of accept queues',
  source: 'TcpExtListenOverflows',
  type: 'count',
  ...(value === undefined ? {} : { value }),
  load: { name: 'connection attempts', ...(load === undefined ? {} : { value: load }) },
  ...more,
});

const told = (before: Measurement, after: Measured, needs = 'nothing', settled = false) =>
  compare({ key: 'k', needs, before: [before], after: [after], windowMs: 1000, settled });

describe('whether a change helped', () => {
  it.each([
    ['gone', of(120, 1000), of(0, 1000), 'helped'],
    ['much less', of(120, 1000), of(20, 1100), 'helped'],
    ['as before', of(120, 1000), of(115, 1000), 'did not help'],
    ['more than before', of(12, 1000), of(60, 1000), 'did not help'],
    ['gone, but so is most of the load', of(120, 1000), of(0, 300), 'cannot be told'],
    ['less in proportion to the load', of(120, 1000), of(70, 600), 'did not help'],
    ['too few to tell', of(2, 1000), of(0, 1000), 'cannot be told'],
    ['nothing before', of(0, 1000), of(0, 1000), 'cannot be told'],
    ['not readable after', of(120, 1000), of(undefined, 1000), 'cannot be told'],
    ['load not readable', of(120, undefined), of(0, 1000), 'cannot be told'],
  ])('%s', (_, before, after, verdict) => {
    expect(told(before, after).verdict).toBe(verdict);
  });

  it('a state that ended helped, one that stayed did not', () => {
    const state = { type: 'state' } as const;
    expect(told(of(3, 9, state), of(0, 9, state)).verdict).toBe('helped');
    expect(told(of(3, 9, state), of(3, 9, state)).verdict).toBe('did not help');
  });

  it('tells nothing until the value holds for what is measured', () => {
    const needs = 'restart of the listening program';
    expect(told(of(120, 1000), of(0, 1000), needs)).toMatchObject({
      verdict: 'cannot be told',
      reason: 'the new value does not hold yet; it needs: restart of the listening program',
    });
    expect(told(of(120, 1000), of(0, 1000, { inForce: false }), needs, true).verdict).toBe('cannot be told');
    expect(told(of(120, 1000), of(0, 1000, { inForce: true }), needs).verdict).toBe('helped');
    expect(told(of(120, 1000), of(0, 1000), needs, true).verdict).toBe('helped');
  });

  it('says so where nothing counted shows it', () => {
    const effect = compare({ key: 'k', needs: 'nothing', before: [], after: [], windowMs: 1000, settled: false });
    expect(effect).toMatchObject({ verdict: 'cannot be told', windowMs: 1000 });
    expect(effect.symptom).toBeUndefined();
  });
});
