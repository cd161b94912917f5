/**
 * What stays of the CPU time of two processes when their messages no longer go through the kernel, and what takes its place.
 * Measured in six processes before and after (docs/decisions/0077-what-tcp-costs-the-programs-beside-it.md), not fitted to
 * what pairs gained.
 */
export interface Staying {
  /**
   * What a message by the kernel costs each end besides: calls that are entered and left, caches and branches that the program
   * does not find as it left them. A part of what the kernel takes for the message.
   */
  disturbance: number;
  /** Of what is about sockets and not about bytes: it is the kernel's as before, and less disturbed too. */
  upkeep: number;
  /** What it costs each end to find out for a message which of several connections is ready, as a part of the same. */
  eventLoop: number;
  /** How often who has less to do sleeps, and is woken, while the other one goes through all connections once. */
  wakingsPerTurn: number;
  /**
   * How often the two sleep, by how often they do now, where others want their CPUs: who has less to do waits between two
   * messages for less time than libsd looks then, or for more.
   */
  sleepsAmongOthers: { shortWaits: number; longWaits: number };
  /** Standard errors by which sampled shares of the socket path are taken to be too high. */
  errors: number;
}

/** The mean of what was measured. */
export const EXPECTED: Staying = {
  disturbance: 0.035,
  upkeep: 0.75,
  eventLoop: 0.018,
  wakingsPerTurn: 1.4,
  sleepsAmongOthers: { shortWaits: 0.4, longWaits: 1.6 },
  errors: 0,
};

/** What leaves the least CPU and the most, all at once. */
export const LEAST: Staying = {
  disturbance: 0.05,
  upkeep: 0.6,
  eventLoop: 0.013,
  wakingsPerTurn: 1.25,
  sleepsAmongOthers: { shortWaits: 0.05, longWaits: 1 },
  errors: -2,
};
export const MOST: Staying = {
  disturbance: 0.014,
  upkeep: 1,
  eventLoop: 0.023,
  wakingsPerTurn: 1.5,
  sleepsAmongOthers: { shortWaits: 1.2, longWaits: 2 },
  errors: 2,
};

/** Whatever disturbs a program, so much of what it does is left: the least of the six. */
export const LEAST_OWN = 0.45;
