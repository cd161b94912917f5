import { addon } from './addon.js';

/** What the last arguments of our own command line would run. */
export interface CommandAnswer {
  /** As execve(2) takes it. */
  path: string;
  /** It cannot run: the errno value (ENOENT: nothing has this name), and what the system says of it. */
  errno?: number;
  message?: string;
  /** Why libsd cannot come into it, going on from "PATH …", and the file that this is about: a script's interpreter. */
  why?: string;
  judged?: string;
  /** LD_PRELOAD would disturb it, rather than do nothing. */
  loaderMinds?: boolean;
}

export interface ReplaceRequest {
  /** How many of our last arguments are the command. */
  count: number;
  /** Names of variables that it does not get, and NAME=VALUE that it gets, beside what was given to us. */
  drop: string[];
  set: string[];
  /** Descriptors that were open when we began. */
  openAtStart: number[];
  /** Of the standard streams: which had O_NONBLOCK when we began, and which had not. */
  nonblocking: number[];
  blocking: number[];
}

/** What the addon exports of it. */
interface Part {
  inspectCommand(count: number): string;
  replaceProcess(request: ReplaceRequest): string;
}

/** What the last `count` of our arguments would run, found as shells find it, and whether libsd can come into it. */
export const inspectCommand = (count: number): CommandAnswer => JSON.parse(addon<Part>().inspectCommand(count));

/**
 * Becomes that command: the same process, with the signals, limits and descriptors that were given to us. Comes back
 * only with the reason why it cannot be.
 */
export const replaceProcess = (request: ReplaceRequest): string => addon<Part>().replaceProcess(request);
