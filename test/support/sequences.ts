import { compiled, outcomeOf } from './libsd.js';

type Environment = Readonly<Record<string, string>>;

/** How sequences.c makes its calls: by one thread, by several in turn, or by a chain of processes. */
export const VARIANTS = ['alone', 'threads', 'processes'] as const;

export interface Sequence {
  seed: number;
  calls: number;
  variant: (typeof VARIANTS)[number];
}

interface Made {
  calls: number;
  ringBytes: number;
}

const SHRINKING_SECONDS = 60;

/** Runs fixtures/programs/libsd/sequences.c; a failure is an error with a sequence that is as short as could be found. */
export async function sequence(it: Sequence, env: Environment): Promise<Made> {
  const { stdout, stderr, status, signal } = await run(it, env, []);
  if (status === 0) return JSON.parse(stdout) as Made;
  const failure = `${JSON.stringify(it)}: exit ${status ?? signal}\n${stdout}${stderr}`;
  throw new Error(`${failure}\n${await shrunk(it, env, stdout)}`);
}

type Range = readonly [number, number];

function run({ seed, calls, variant }: Sequence, env: Environment, leftOut: readonly Range[], how = 'quiet') {
  const ranges = leftOut.map(([from, to]) => `${from}-${to}`);
  const seconds = how === 'brief' ? 20 : 60 + Math.ceil(calls / 100);
  return outcomeOf([compiled('libsd/sequences'), `${seed}`, `${calls}`, variant, how, ...ranges], env, seconds);
}

/** Leaves out half, a quarter, an eighth … of the calls as long as it still fails, and shows those that are left. */
async function shrunk(it: Sequence, env: Environment, said: string): Promise<string> {
  const end = performance.now() + SHRINKING_SECONDS * 1000;
  const calls = Number(/ call (\d+)/.exec(said)?.[1] ?? it.calls - 1) + 1;
  const shorter = { ...it, calls };
  let leftOut: Range[] = [];
  const fails = async (ranges: readonly Range[]) => (await run(shorter, env, ranges, 'brief')).status !== 0;
  if (!(await fails([]))) return 'It does not fail each time.';
  for (let size = Math.ceil(calls / 2); size >= 1 && performance.now() < end; size = Math.floor(size / 2)) {
    for (let from = 0; from < calls - 1 && performance.now() < end; from += size) {
      const range: Range = [from, Math.min(from + size, calls - 1)];
      if (leftOut.some(([first, last]) => first <= range[0] && range[1] <= last)) continue;
      if (await fails([...leftOut, range])) leftOut = [...leftOut, range];
    }
  }
  const { stdout } = await run(shorter, env, leftOut, 'verbose');
  return `It is enough to make these calls:\n${stdout.slice(-10_000)}`;
}
