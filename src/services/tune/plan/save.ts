import type { Plan } from '../../../model/tune/plan.js';
import { openAtomic } from '../../../support/atomic-file.js';

interface PlanFile {
  write(plan: Plan): void;
  close(): void;
}

/** Makes sure that the file can be written before the host is read. */
export function openPlan(path: string): PlanFile {
  const file = openAtomic(path);
  return {
    write: (plan) => file.commit(Buffer.from(`${JSON.stringify(plan, undefined, 2)}\n`)),
    close: () => file.discard(),
  };
}
