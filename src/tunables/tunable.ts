import type { NetContext } from '../checks/check.js';
import type { Evidence } from '../model/results.js';
import type { PlanRow } from '../model/tune/plan.js';
import type { Form } from './form.js';
import type { Kernel } from './kernel.js';
import type { Symptom } from './symptoms/symptom.js';

/** A value for a declared goal, with what it was computed from; or why none could be computed. */
export type Suggestion = { key: string; reason: string } & ({ to: string; evidence: Evidence[] } | { to?: undefined });

/**
 * A setting that `tune` may touch: what it is, what it takes, what it costs. Data, and a pure function where a declared
 * goal alone is a reason to change it. What is not here is never written.
 */
export interface Tunable {
  /** As rows name it. A "*" stands for one part: an interface, a queue, a CPU, a process. */
  key: string;
  kind: PlanRow['kind'];
  /** What it sets, in one sentence. */
  sets: string;
  /** Of its numbers: "connections", "bytes", "us"; "" for words. */
  unit: string;
  form: Form;
  /** netns: every network namespace has its own. host: there is one; a namespace shows it at most. */
  scope: 'netns' | 'host';
  /** It is a limit: never proposed below what it is or what the kernel makes it. Else lowering may be the point. */
  raiseOnly: boolean;
  /** What this kernel sets when nobody interferes; undefined where that depends on what cannot be known afterwards. */
  default?: (kernel: Kernel) => string | undefined;
  /** A new network namespace shows the default itself, so that nothing has to be compiled in. */
  fresh?: boolean;
  /** What it costs when the reason was wrong. */
  risk: string;
  /** What must happen for it to take hold: "nothing", "new connections", "restart of the listening program", … */
  needs: string;
  /** Where the meaning, the range and the default are written. */
  source: string;
  /** What should move when the change was right. */
  symptoms?: readonly Symptom[];
  /** For a profile other than general: values computed for this host. */
  suggest?: (context: NetContext) => Suggestion[];
}

export const defineTunable = (tunable: Tunable): Tunable => tunable;

/** One integer. */
export const number = (least: number, most: number): Form => ({ type: 'numbers', count: 1, least, most });
export const numbers = (count: number, least: number, most: number): Form => ({ type: 'numbers', count, least, most });
export const INT_MAX = 2 ** 31 - 1;
export const UINT_MAX = 2 ** 32 - 1;

/** Pages of the kernel's documentation, by their common beginning. */
export const IP_SYSCTL = 'https://docs.kernel.org/networking/ip-sysctl.html';
export const SYSCTL_NET = 'https://docs.kernel.org/admin-guide/sysctl/net.html';
export const SYSCTL_FS = 'https://docs.kernel.org/admin-guide/sysctl/fs.html';
export const SYSCTL_VM = 'https://docs.kernel.org/admin-guide/sysctl/vm.html';
export const SCALING = 'https://docs.kernel.org/networking/scaling.html';
