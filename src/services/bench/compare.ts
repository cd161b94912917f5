import type { BenchCompareDocument, BenchDocument, BenchResult } from '../../model/bench.js';
import { rounded, timesBetter, verdictOf } from './statistics.js';

/** What a result is of, whatever it came to. */
export const keyOf = ({
  suite,
  case: name,
  transport,
  cpus,
}: Pick<BenchResult, 'suite' | 'case' | 'transport' | 'cpus'>) =>
  [suite, name, transport, cpus.length === 0 ? 'not pinned' : `CPU ${[...new Set(cpus)].join(' and ')}`].join(', ');

/** Two runs, line by line: what both measured, what one alone did, and what else differs between them. */
export function compareResults(
  from: { path: string; document: BenchDocument },
  to: { path: string; document: BenchDocument },
): BenchCompareDocument {
  const before = new Map(from.document.results.map((result) => [keyOf(result), result]));
  const after = new Map(to.document.results.map((result) => [keyOf(result), result]));
  return {
    schemaVersion: 1,
    command: 'bench compare',
    from: from.path,
    to: to.path,
    differences: differences(from.document, to.document),
    compared: [...before].flatMap(([key, a]) => {
      const b = after.get(key);
      if (b === undefined) return [];
      const { suite, case: name, transport, cpus, unit, better } = a;
      const times = rounded(timesBetter(a.p50, b.p50, better));
      const verdict = verdictOf(a.repetitions, b.repetitions, better);
      return [{ suite, case: name, transport, cpus, unit, from: a.p50, to: b.p50, times, verdict }];
    }),
    onlyFrom: [...before.keys()].filter((key) => !after.has(key)),
    onlyTo: [...after.keys()].filter((key) => !before.has(key)),
  };
}

function differences(from: BenchDocument, to: BenchDocument): BenchCompareDocument['differences'] {
  const [a, b] = [facts(from), facts(to)];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .filter((what) => a[what] !== b[what])
    .map((what) => ({ what, from: a[what] ?? 'none', to: b[what] ?? 'none' }));
}

function facts({ version, host, versions, settings }: BenchDocument): Record<string, string> {
  const { hostname, kernel, arch, cpuModel, cpus, governors, clocksource, mitigations } = host;
  const { durationMs, environment } = settings;
  const named = { sockdoc: version, hostname, kernel, arch, processor: cpuModel, cpus, clocksource };
  const rest = { governor: governors.join(), 'repetition in ms': durationMs, ...versions, ...environment };
  return Object.fromEntries(
    Object.entries({ ...named, ...rest, ...mitigations }).map(([what, value]) => [what, String(value)]),
  );
}
