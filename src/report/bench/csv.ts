import type { BenchDocument } from '../../model/bench.js';
import { clean } from '../clean.js';

const HEAD = [
  'suite',
  'case',
  'transport',
  'bytes',
  'cpus',
  'metric',
  'unit',
  'repetition',
  'value',
  'line_transfer_ns',
  'ring_share',
  'others_percent',
];

/** A line for each repetition (RFC 4180). */
export function benchCsv({ results }: BenchDocument): string {
  const lines = results.flatMap((result) =>
    result.repetitions.map((value, i) =>
      [
        result.suite,
        result.case,
        result.transport,
        result.bytes,
        result.cpus.join(' '),
        result.metric,
        result.unit,
        i + 1,
        value,
        result.lineTransferNs?.[i],
        result.ringShare?.[i],
        result.othersPercent[i],
      ]
        .map(field)
        .join(','),
    ),
  );
  return `${[HEAD.join(','), ...lines].join('\r\n')}\r\n`;
}

/** A spreadsheet takes what begins with = + - @ for a formula. */
function field(value: string | number | undefined): string {
  if (typeof value !== 'string') return value === undefined ? '' : String(value);
  const safe = clean(value).replace(/^([=+\-@])/, "'$1");
  return /[",]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
