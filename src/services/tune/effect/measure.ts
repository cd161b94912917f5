import type { Measurement } from '../../../model/tune/effect.js';
import { tunableOf } from '../../../tunables/catalogue/index.js';
import type { Symptom, SymptomContext } from '../../../tunables/symptoms/symptom.js';
import type { PlanView } from '../plan/candidates.js';

/** A symptom as it was in one snapshot, and whether the changed value held for it. */
export interface Measured extends Measurement {
  /** Undefined when nothing tells. */
  inForce?: boolean | undefined;
}

/** The symptoms behind a key over the window of a snapshot; none for a key that nothing counted shows. */
export function measure(view: PlanView, key: string, former: string): Measured[] {
  const context: SymptomContext = {
    ...view,
    key,
    former,
    profile: 'general',
    threshold: () => {
      throw new Error('a symptom has no thresholds');
    },
  };
  return (tunableOf(key)?.symptoms ?? []).map((symptom) => one(context, symptom));
}

function one(context: SymptomContext, symptom: Symptom): Measured {
  const { name, source, type, load } = symptom;
  const value = symptom.read(context);
  const under = load.read(context);
  const inForce = symptom.inForce ? symptom.inForce(context) : undefined;
  return {
    symptom: name,
    source,
    type,
    ...(value === undefined ? {} : { value }),
    load: { name: load.name, ...(under === undefined ? {} : { value: under }) },
    ...(symptom.inForce ? { inForce } : {}),
  };
}
