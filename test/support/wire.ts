import type { Netns, Victim } from './live.js';

/** The far end of a slow wire: `ns.start(...)` here listens on 10.98.0.1, there on 10.98.0.2. */
export const HERE = '10.98.0.1';
const THERE = '10.98.0.2';

/** Joins two namespaces by a wire with a delay in each direction (this kernel may lack netem). */
export function wire(here: Netns, there: Netns, delayMs: number): Promise<Victim> {
  return here.start('delay.c', here.name, HERE, there.name, THERE, delayMs * 1000);
}
