import type { Category, Evidence, Profile, Remedy, Status, Subject } from '../model/results.js';
import type { Snapshot } from '../model/snapshot/index.js';
import type { HostView, NetView } from './view.js';

/** The page of a check: what `sockdoc explain ID` prints, and what a result takes its defaults from. */
export interface Page {
  /** What happens in the kernel or in the program, in a paragraph. */
  mechanism: string;
  /** Where each number is read. */
  reads: string;
  /** When it is info, warn and fail, with the numbers. */
  threshold: string;
  /** Why it matters to the person who runs the host; the default `why` of a finding. */
  why: string;
  /** What to do. */
  remedy: string;
  risk: string;
  undo: string;
  /** "nothing", "new connections", "restart of the application", "reboot", … */
  needs: string;
  /** What of the remedy `sockdoc tune` can write: keys as --only takes them, and what it has to be told beside them. */
  tune?: { keys: readonly string[]; options?: '--profile latency' | '--limits' };
  /** Kernel documents, man pages, papers. Only what really says it. */
  sources: readonly string[];
}

/** A number that a person may override in .sockdoc.yaml (`thresholds: {ID: {NAME: VALUE}}`). */
export interface Threshold {
  default: number;
  unit: string;
  description: string;
}

/** What one judgement says. `why`, risk, undo and needs come from the page where they are left out. */
export interface Finding {
  status: Status;
  summary: string;
  evidence: Evidence[];
  subject?: Subject;
  why?: string;
  remedy?: Partial<Remedy> & Pick<Remedy, 'summary'>;
  /** Orders findings of one status within a check, largest first; also decides which action is named last. */
  weight?: number;
}

interface CheckBase {
  id: string;
  title: string;
  category: Category;
  /** 0 to 100: how much a fail of it costs the clients. Decides which action the summary names. */
  priority: number;
  thresholds?: Readonly<Record<string, Threshold>>;
  page: Page;
}

export interface JudgeOptions {
  profile: Profile;
  /** The value of one of the check's own thresholds. */
  threshold(name: string): number;
}

export interface HostContext extends JudgeOptions {
  snapshot: Snapshot;
  host: HostView;
}

export interface NetContext extends HostContext {
  /** The namespace under judgement. */
  net: NetView;
}

/** Judged once per snapshot. */
export interface HostCheck extends CheckBase {
  scope: 'host';
  judge(context: HostContext): Finding[];
}

/** Judged once per network namespace. */
export interface NetCheck extends CheckBase {
  scope: 'netns';
  judge(context: NetContext): Finding[];
}

/**
 * A check is data plus one pure function over a snapshot: no I/O, no clock. It returns at least one finding: `pass`
 * with the numbers that it looked at when nothing is wrong.
 */
export type Check = HostCheck | NetCheck;

export const defineCheck = <T extends Check>(check: T): T => check;
