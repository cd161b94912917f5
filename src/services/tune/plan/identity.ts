import type { NetnsIdentity } from '../../../model/tune/plan.js';
import type { PlanView } from './candidates.js';

/** Which namespace a plan is for, as far as the snapshot tells. */
export function identityOf({ net: { facts } }: PlanView): NetnsIdentity {
  const { id, name, initial } = facts;
  return { id, ...(name === undefined ? {} : { name }), initial: initial === true };
}
