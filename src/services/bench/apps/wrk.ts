import type { BenchTransport } from '../../../model/bench.js';
import { notPossible } from '../../../support/errors.js';
import type { Program, Sample } from '../cases.js';
import { programFile } from '../programs.js';
import { type AppRig, rateOf } from './app.js';

export const WRK: Program = { name: 'wrk', package: 'wrk' };

/** wrk speaks TCP alone. */
export const WRK_TRANSPORTS: readonly BenchTransport[] = ['kernel', 'shm'];

const CONNECTIONS = 50;

/** Requests for / by 50 connections; `headers` are arguments of wrk. */
export function measureByWrk(rig: AppRig, headers: readonly string[], durationMs: number): Promise<Sample> {
  const seconds = Math.max(1, Math.round(durationMs / 1000)); // wrk counts in whole ones
  const where = `http://127.0.0.1:${rig.place}/`;
  const command = [programFile(WRK.name) ?? '', '-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, ...headers, where];
  return rateOf(rig, seconds * 1000, rig.load(command).then(wrkRate));
}

/** The requests per second that wrk prints; any failed request makes it no measurement. */
export function wrkRate(text: string): number {
  const failed = /^\s*(Socket errors:.*|Non-2xx.*)$/m.exec(text)?.[1];
  const rate = Number(/^Requests\/sec:\s*([\d.]+)/m.exec(text)?.[1]);
  if (failed === undefined && rate > 0) return rate;
  throw notPossible(`wrk: ${failed ?? text.trim().slice(-300)}`);
}
