import { mkdirSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { Value } from '@sinclair/typebox/value';
import { measureCosts } from '../../control/bench/costs.js';
import { Calibration, MOST_OTHERS_PERCENT, type TransportCosts } from '../../model/advise.js';
import { openAtomic } from '../../support/atomic-file.js';
import { stateFolder } from '../../support/state-folder.js';
import { packageVersion } from '../../support/version.js';
import { allowedCpus } from '../bench/host.js';
import { cpuUse, othersPercent } from '../bench/neighbours.js';

const file = () => join(stateFolder(), 'calibration.json');

/** A host that is never quiet: more looks would not make it cheaper. */
const MOST_TIMES = 5;

const isGoodEnough = ({ othersPercent = 0, times = 1 }: Calibration): boolean =>
  othersPercent <= MOST_OTHERS_PERCENT || times >= MOST_TIMES;

/**
 * What messages cost on this host: measured now, or as it was measured since the last boot by this sockdoc. Of what was measured
 * beside others the cheapest of all times counts.
 */
export async function calibrate({ anew = false }: { anew?: boolean } = {}): Promise<Calibration> {
  const here = {
    kernel: release(),
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    version: packageVersion(),
  };
  const found = anew ? undefined : readKept();
  const isOfHere = found?.kernel === here.kernel && found.bootId === here.bootId && found.version === here.version;
  const kept = isOfHere ? found : undefined;
  if (kept && isGoodEnough(kept)) return kept;
  const measured: Calibration = { ...here, ...(await measureNow()) };
  const calibration = kept ? cheapest(kept, measured) : measured;
  keep(calibration);
  return calibration;
}

async function measureNow() {
  const [first = 0, second = first] = allowedCpus();
  const cpus = [...new Set([first, second])];
  const before = cpuUse(cpus, []);
  const costs = await measureCosts([first, second]);
  return {
    measuredAt: new Date().toISOString(),
    cpus: [first, second],
    othersPercent: Math.round(othersPercent(before, cpuUse(cpus, []), cpus.length)),
    times: 1,
    ...costs,
  };
}

function cheapest(one: Calibration, other: Calibration): Calibration {
  const least = (by: 'byKernel' | 'byMemory'): TransportCosts => ({
    smallUs: Math.min(one[by].smallUs, other[by].smallUs),
    largeUs: Math.min(one[by].largeUs, other[by].largeUs),
    wakeUpUs: Math.min(one[by].wakeUpUs, other[by].wakeUpUs),
    smallRoundTripUs: Math.min(one[by].smallRoundTripUs, other[by].smallRoundTripUs),
    largeRoundTripUs: Math.min(one[by].largeRoundTripUs, other[by].largeRoundTripUs),
  });
  return { ...other, times: (one.times ?? 1) + 1, byKernel: least('byKernel'), byMemory: least('byMemory') };
}

/** Whatever is wrong with the file, it is measured again. */
function readKept(): Calibration | undefined {
  try {
    const kept: unknown = JSON.parse(readFileSync(file(), 'utf8'));
    return Value.Check(Calibration, kept) ? kept : undefined;
  } catch {
    return undefined;
  }
}

/** Where nothing can be kept it is measured each time. */
function keep(calibration: Calibration): void {
  try {
    mkdirSync(stateFolder(), { recursive: true, mode: 0o700 });
    openAtomic(file()).commit(Buffer.from(`${JSON.stringify(calibration)}\n`));
  } catch {
    // A second is what it costs.
  }
}
