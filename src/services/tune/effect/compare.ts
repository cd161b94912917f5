import type { Effect, Measurement } from '../../../model/tune/effect.js';
import type { Measured } from './measure.js';

export interface Compared {
  key: string;
  needs: string;
  before: readonly Measurement[];
  after: readonly Measured[];
  windowMs: number;
  /** The person says by measuring again that what the row needs has been done. */
  settled: boolean;
}

type Verdict = Pick<Effect, 'verdict' | 'reason'>;

/** With less than this share of the former load, less of a symptom proves nothing. */
const COMPARABLE_LOAD = 0.5;

/**
 * Whether a change helped, by the symptoms before and after. Counts of events vary by themselves, about as the square
 * root of their number (Poisson): what is not clearly beyond that is not told. The first symptom that tells decides.
 */
export function compare({ key, needs, before, after, windowMs, settled }: Compared): Effect {
  const told = before.flatMap((first): Effect[] => {
    const last = after.find(({ symptom }) => symptom === first.symptom);
    if (!last) return [];
    return [
      {
        key,
        ...verdictOf(first, last, needs, settled),
        symptom: first.symptom,
        source: first.source,
        ...(first.value === undefined ? {} : { before: first.value }),
        ...(last.value === undefined ? {} : { after: last.value }),
        load: {
          name: first.load.name,
          ...(first.load.value === undefined ? {} : { before: first.load.value }),
          ...(last.load.value === undefined ? {} : { after: last.load.value }),
        },
        windowMs,
      },
    ];
  });
  return (
    told.find(({ verdict }) => verdict !== 'cannot be told') ??
    told[0] ?? { key, ...cannot('no counter of the kernel shows what it changes: measure your application'), windowMs }
  );
}

function verdictOf(first: Measurement, last: Measured, needs: string, settled: boolean): Verdict {
  if (windowless(first) || windowless(last)) return cannot('it could not be read before and after');
  const [before, after] = [first.value as number, last.value as number];
  if (before === 0) return cannot('there was nothing of it in the window before the change');
  if (last.inForce === false || (last.inForce === undefined && !settled && !atOnce(needs)))
    return cannot(
      atOnce(needs)
        ? 'nothing that was measured uses the new value yet'
        : `the new value does not hold yet; it needs: ${needs}`,
    );
  const share = loadShare(first, last);
  if (share === undefined) return cannot(`the ${first.load.name} it comes from could not be read`);
  if (share < COMPARABLE_LOAD)
    return cannot(`there was less to do: ${first.load.value} ${first.load.name} before, ${last.load.value} after`);
  return first.type === 'state' ? ofState(before, after) : ofCount(before, after, share);
}

const windowless = ({ value }: Measurement): boolean => value === undefined;
const atOnce = (needs: string): boolean => /^nothing/.test(needs);

/** The load after as a share of the one before; more load than before is no excuse for a symptom and counts as 1. */
function loadShare(first: Measurement, last: Measurement): number | undefined {
  const [before, after] = [first.load.value, last.load.value];
  if (before === undefined || after === undefined) return undefined;
  return before === 0 ? 1 : Math.min(1, after / before);
}

function ofState(before: number, after: number): Verdict {
  if (after === 0) return { verdict: 'helped', reason: `${before} before, none after` };
  return after < before
    ? { verdict: 'helped', reason: `${before} before, ${after} after` }
    : { verdict: 'did not help', reason: `${before} before, ${after} after` };
}

function ofCount(before: number, after: number, share: number): Verdict {
  const expected = before * share;
  const words = `${before} before, ${after} after${share < 1 ? `, where ${Math.round(expected)} would come from the load alone` : ''}`;
  const noise = 2 * Math.sqrt(expected + after);
  if (expected - after > noise) return { verdict: 'helped', reason: words };
  // Had it halved, would that have shown?
  if (expected / 2 > 2 * Math.sqrt(expected * 1.5) || after - expected > noise)
    return { verdict: 'did not help', reason: words };
  return cannot(`${words}: too few for a window of this length`);
}

const cannot = (reason: string): Verdict => ({ verdict: 'cannot be told', reason });
