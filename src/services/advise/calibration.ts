import { mkdirSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { Value } from '@sinclair/typebox/value';
import { measureCosts } from '../../control/bench/costs.js';
import { Calibration } from '../../model/advise.js';
import { openAtomic } from '../../support/atomic-file.js';
import { stateFolder } from '../../support/state-folder.js';
import { packageVersion } from '../../support/version.js';
import { allowedCpus } from '../bench/host.js';

const file = () => join(stateFolder(), 'calibration.json');

/** What messages cost on this host: measured now, or as it was measured since the last boot by this sockdoc. */
export async function calibrate({ anew = false }: { anew?: boolean } = {}): Promise<Calibration> {
  const here = {
    kernel: release(),
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    version: packageVersion(),
  };
  const kept = anew ? undefined : readKept();
  if (kept && kept.kernel === here.kernel && kept.bootId === here.bootId && kept.version === here.version) return kept;
  const [first = 0, second = first] = allowedCpus();
  const calibration: Calibration = {
    measuredAt: new Date().toISOString(),
    ...here,
    cpus: [first, second],
    ...(await measureCosts([first, second])),
  };
  keep(calibration);
  return calibration;
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
