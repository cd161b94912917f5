import { BENCH_TRANSPORTS, type BenchTransport } from '../../model/bench.js';
import { notPossible, usageError } from '../../support/errors.js';

/** Those of the command line that are not built yet. */
const LATER = ['pipe', 'rdma', 'rsocket'];

/** --transport kernel,shm: in the order of the catalogue, each once. */
export function transportsOf(text: string): BenchTransport[] {
  const names = text.split(',').map((name) => name.trim());
  for (const name of names) {
    if ((BENCH_TRANSPORTS as readonly string[]).includes(name)) continue;
    const next = `There are: ${BENCH_TRANSPORTS.join(', ')}.\nExample: sockdoc bench run rtt --transport kernel,shm`;
    if (LATER.includes(name)) throw notPossible(`the transport ${name} is not built yet`, { next });
    throw usageError(`"${name}" is no transport`, { next });
  }
  return BENCH_TRANSPORTS.filter((transport) => names.includes(transport));
}

/** --cpus 2,3: of the server, of the client; one alone is for both. */
export function cpusOf(text: string): number[] {
  const words = text.split(',').map((word) => word.trim());
  const expected = 'one or two CPU numbers were expected';
  const next = 'Example: sockdoc bench run rtt --cpus 0,1';
  if (words.some((word) => !/^\d{1,4}$/.test(word)) || words.length > 2)
    throw usageError(`"${text}" is no list of CPUs: ${expected}`, { next });
  const cpus = words.map(Number);
  if (new Set(cpus).size < cpus.length) throw usageError(`"${text}" names a CPU twice: ${expected}`, { next });
  return cpus;
}

/** What was asked for, if this process may run there; else the first two of those. */
export function cpusToUse(wanted: readonly number[] | undefined, allowed: readonly number[]): readonly number[] {
  const wrong = wanted?.find((cpu) => !allowed.includes(cpu));
  if (wrong === undefined) return wanted ?? allowed.slice(0, 2);
  const example = allowed.slice(0, 2).join(',');
  throw notPossible(`CPU ${wrong} is not there for us: sockdoc may run on ${allowed.join(', ')}`, {
    next: `Example: sockdoc bench run rtt --cpus ${example}`,
  });
}

/** Of one repetition, unless --duration says otherwise. */
export const DURATION_MS = 500;
export const QUICK_DURATION_MS = 100;
const LONGEST_MS = 600_000;

/** --duration: "500ms", "2s" for each repetition. */
export function checkedDuration(ms: number): number {
  if (ms >= 10 && ms <= LONGEST_MS) return ms;
  throw usageError(`a repetition takes from 10ms to ${LONGEST_MS / 60_000}m`, {
    next: 'Example: sockdoc bench run rtt --duration 1s',
  });
}
