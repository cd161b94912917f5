import type { HostReading, Pressure } from '../../model/snapshot/index.js';
import type { FileProbe } from '../files.js';

const KINDS = ['cpu', 'memory', 'io'] as const;

/** Pressure stall information; absent where the kernel has none or it is switched off (psi=0). */
export const pressure: FileProbe<HostReading['pressure']> = {
  name: 'pressure',
  wants: { files: KINDS.map((kind) => `/proc/pressure/${kind}`) },
  parse(found) {
    const parsed: HostReading['pressure'] = {};
    for (const kind of KINDS) {
      const value = parsePressure(found.text(`/proc/pressure/${kind}`) ?? '');
      if (value) parsed[kind] = value;
    }
    return parsed;
  },
};

/** "some avg10=0.00 avg60=0.00 avg300=0.00 total=0", and "full", which the cpu file has since 5.13. */
export function parsePressure(text: string): Pressure | undefined {
  const lines = new Map(
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [kind = '', ...pairs] = line.split(/\s+/);
        return [kind, new Map(pairs.map((pair) => pair.split('=') as [string, string]))];
      }),
  );
  const some = lines.get('some');
  if (!some) return undefined;
  const full = lines.get('full');
  return {
    someTotalUs: Number(some.get('total')),
    someAvg10: Number(some.get('avg10')),
    ...(full ? { fullTotalUs: Number(full.get('total')), fullAvg10: Number(full.get('avg10')) } : {}),
  };
}
