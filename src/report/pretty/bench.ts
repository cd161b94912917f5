import type {
  BenchCompareDocument,
  BenchDocument,
  BenchHost,
  BenchListDocument,
  BenchResult,
} from '../../model/bench.js';
import { fittedLines } from '../bench/fitted.js';
import {
  type BenchRow,
  benchRows,
  lineTransfer,
  placeText,
  quantity,
  remarks,
  spread,
  timesKernel,
  timesText,
} from '../bench/rows.js';
import type { Column } from '../table.js';
import { milliseconds } from '../units.js';
import { type Ink, type Look, Paper } from './paper.js';

interface Line {
  row: BenchRow;
  result: BenchResult;
  first: boolean;
}

const COLUMNS: readonly Column<Line>[] = [
  { title: 'CASE', cell: ({ row, first }) => (first ? row.name : ''), priority: 0, min: 8 },
  { title: 'WHERE', cell: ({ row, first }) => (first ? placeText(row.cpus) : ''), priority: 1 },
  { title: 'TRANSPORT', cell: ({ result }) => result.transport, priority: 0 },
  { title: 'MEDIAN', cell: ({ result }) => quantity(result.p50, result.unit), align: 'right', priority: 0 },
  {
    title: 'P99',
    cell: ({ result }) => (result.unit === 'us' ? quantity(result.p99, result.unit) : undefined),
    align: 'right',
    priority: 2,
  },
  { title: 'SPREAD', cell: ({ result }) => spread(result), align: 'right', priority: 2 },
  { title: '× KERNEL', cell: ({ row, result }) => timesText(timesKernel(row, result)), align: 'right', priority: 0 },
  { title: 'LINE', cell: ({ row, first }) => (first ? lineText(row) : undefined), align: 'right', priority: 2 },
  {
    title: 'REMARKS',
    cell: ({ result }) => ({ text: remarks(result).join('; '), ink: 'yellow' }),
    priority: 1,
    min: 12,
    max: 90,
  },
];

function lineText(row: BenchRow): string | undefined {
  const ns = lineTransfer(row);
  return ns === undefined ? undefined : `${Math.round(ns)} ns`;
}

/** A table for each suite; what could not be measured; what the figures depend on. */
export function prettyBench(document: BenchDocument, look: Look): string {
  const paper = new Paper(look);
  for (const suite of document.settings.suites) {
    const rows = benchRows(document.results).filter((row) => row.suite === suite);
    if (rows.length === 0) continue;
    paper.blank();
    paper.text(suite, { ink: 'bold' });
    paper.table(
      COLUMNS,
      rows.flatMap((row) => row.results.map((result, i) => ({ row, result, first: i === 0 }))),
    );
    for (const line of fittedLines(rows)) paper.text(line);
  }
  if (document.notMeasured.length > 0) {
    paper.blank();
    for (const { suite, case: name, transport, reason, next } of document.notMeasured) {
      paper.text(`${suite}, ${name}${transport === undefined ? '' : `, ${transport}`}: ${reason}`, { ink: 'yellow' });
      if (next !== undefined) paper.command(next, '  ');
    }
  }
  paper.blank();
  for (const line of hostLines(document)) paper.text(line);
  return paper.toString();
}

/** What a figure means nothing without. */
export function hostLines({ host, settings, versions, version, takenAt, durationMs }: BenchDocument): string[] {
  const { quick, repetitions } = settings;
  const each = `${repetitions} repetitions of ${milliseconds(settings.durationMs)}`;
  const programs = Object.entries({ sockdoc: version, ...versions }).map(([name, number]) => `${name} ${number}`);
  const environment = Object.entries(settings.environment).map(([name, value]) => `${name}=${value}`);
  return [
    `${host.hostname}, ${takenAt}: ${each}${quick ? ' (quick)' : ''}, transports in turns, ${milliseconds(durationMs)} in all`,
    `Linux ${host.kernel} ${host.arch}, ${host.cpuModel}, ${host.cpus} CPUs${host.virtual ? ', virtual' : ''}; ${machineText(host)}`,
    [...programs, ...environment].join(', '),
    'LINE is how long a cache line takes from one CPU to the other, right before the repetitions: a round trip needs two.',
  ];
}

function machineText({ governors, clocksource, mitigations, loadAverage }: BenchHost): string {
  const governor = governors.length > 0 ? governors.join(', ') : 'none';
  const costly = Object.keys(mitigations);
  return `governor ${governor}, clock ${clocksource}, mitigations ${costly.length > 0 ? costly.join(', ') : 'none'}, load ${loadAverage[0]} at the begin`;
}

type Compared = BenchCompareDocument['compared'][number];

const INKS: Readonly<Record<Compared['verdict'], Ink | undefined>> = { better: 'green', worse: 'red', same: undefined };

const COMPARED: readonly Column<Compared>[] = [
  { title: 'SUITE', cell: (row) => row.suite, priority: 1 },
  { title: 'CASE', cell: (row) => row.case, priority: 0, min: 8 },
  { title: 'WHERE', cell: (row) => placeText(row.cpus), priority: 1 },
  { title: 'TRANSPORT', cell: (row) => row.transport, priority: 0 },
  { title: 'FROM', cell: (row) => quantity(row.from, row.unit), align: 'right', priority: 0 },
  { title: 'TO', cell: (row) => quantity(row.to, row.unit), align: 'right', priority: 0 },
  { title: 'TIMES', cell: (row) => timesText(row.times), align: 'right', priority: 0 },
  {
    title: '',
    cell: ({ verdict }) => ({ text: verdict, ...(INKS[verdict] ? { ink: INKS[verdict] } : {}) }),
    priority: 0,
  },
];

/** Each result that both runs have, and what else differs between them. */
export function prettyComparison(
  { compared, differences, onlyFrom, onlyTo, from, to }: BenchCompareDocument,
  look: Look,
): string {
  const paper = new Paper(look);
  if (compared.length > 0) paper.table(COMPARED, compared);
  else paper.text('Nothing was measured by both.');
  for (const [path, only] of [
    [from, onlyFrom],
    [to, onlyTo],
  ] as const) {
    if (only.length === 0) continue;
    paper.blank();
    paper.text(`Only in ${path}:`);
    for (const key of only) paper.text(key, { first: '  ' });
  }
  if (differences.length > 0) {
    paper.blank();
    paper.text('What else differs:');
    for (const { what, from: before, to: after } of differences)
      paper.text(`${what}: ${before} → ${after}`, { first: '  ' });
  }
  paper.blank();
  paper.text('TIMES above 1 is better. The same: the spreads of the repetitions overlap.');
  return paper.toString();
}

/** The suites, and what each needs. */
export function prettySuites({ suites }: BenchListDocument, look: Look): string {
  const paper = new Paper(look);
  for (const { id, title, measures, transports, programs } of suites) {
    paper.blank();
    paper.text(`${id}: ${title}`, { ink: 'bold' });
    paper.text(measures, { first: '  ' });
    paper.text(`Transports: ${transports.join(', ')}`, { first: '  ' });
    for (const { name, installed, package: from } of programs)
      if (!installed) paper.text(`${name} is not installed: apt install ${from}`, { first: '  ', ink: 'yellow' });
  }
  return paper.toString();
}
