import type { CheckDocument, Result, Status } from '../../model/results.js';
import { subjectText } from '../../model/subject.js';
import { bytesText, durationText } from '../values.js';
import { writeFinding } from './finding.js';
import { type Ink, type Look, Paper } from './paper.js';
import { writeUnseen } from './unseen.js';

const SECTIONS: readonly { status: Status; title: string; symbol: string; ink: Ink }[] = [
  { status: 'fail', title: 'FAIL', symbol: '✖', ink: 'red' },
  { status: 'warn', title: 'WARN', symbol: '▲', ink: 'yellow' },
  { status: 'info', title: 'INFO', symbol: '●', ink: 'blue' },
];

interface Options extends Look {
  verbose: boolean;
}

/** The report for the person at the keyboard: worst first, and the one action that matters most on the last line. */
export function prettyCheck(document: CheckDocument, options: Options): string {
  const paper = new Paper(options);
  writeHead(paper, document);
  for (const { status, title, symbol, ink } of SECTIONS) {
    const results = document.results.filter((result) => result.status === status && !result.suppressed);
    if (results.length === 0) continue;
    paper.blank();
    paper.text(`${title} (${results.length})`, { first: `${symbol} `, ink });
    results.forEach((result, i) => {
      paper.blank();
      writeFinding(paper, result, { symbol, ink, before: results[i - 1], verbose: options.verbose });
    });
  }
  writeSuppressed(paper, document.results);
  if (options.verbose) writeQuiet(paper, document.results);
  writeUnseen(paper, document, options.verbose);
  writeEnd(paper, document);
  return paper.toString();
}

function writeHead(paper: Paper, document: CheckDocument): void {
  const { host } = document;
  const window = document.windowMs === 0 ? 'one reading' : `window ${durationText(document.windowMs)}`;
  paper.text(
    [
      `sockdoc ${document.version}`,
      host.hostname,
      `Linux ${host.kernel} ${host.arch}`,
      `${host.cpus} CPUs, ${bytesText(host.memoryBytes)}`,
      ...(host.container ? [`in ${host.container}`] : []),
      ...(document.selection ? [document.selection] : []),
      ...(document.profile && document.profile !== 'general' ? [`profile ${document.profile}`] : []),
      window,
      ...(document.sampling
        ? [`the worst of ${document.sampling.windows} windows in ${durationText(document.sampling.forMs)}`]
        : []),
      document.takenAt,
      ...(document.redacted ? ['masked'] : []),
    ].join(' · '),
    { ink: 'bold' },
  );
}

function writeSuppressed(paper: Paper, results: readonly Result[]): void {
  const suppressed = results.filter((result) => result.suppressed);
  if (suppressed.length === 0) return;
  paper.blank();
  paper.text(`SUPPRESSED (${suppressed.length})`, { ink: 'dim' });
  for (const { id, status, summary, suppressed: by } of suppressed) {
    const until = by?.expires ? `, until ${by.expires}` : '';
    paper.text(`${id} (${status}): ${summary}. Accepted: ${by?.reason}${until}`, { first: '  · ' });
  }
}

function writeQuiet(paper: Paper, results: readonly Result[]): void {
  for (const [status, title, symbol] of [
    ['pass', 'PASS', '✔'],
    ['not-applicable', 'NOT APPLICABLE', '·'],
  ] as const) {
    const quiet = results.filter((result) => result.status === status && !result.suppressed);
    if (quiet.length === 0) continue;
    paper.blank();
    paper.text(`${title} (${quiet.length})`, { ink: status === 'pass' ? 'green' : 'dim' });
    for (const { id, summary, subject } of quiet) {
      const about = subjectText(subject);
      paper.text(`${id}${about ? ` (${about})` : ''}: ${summary}`, { first: `  ${symbol} ` });
    }
  }
}

function writeEnd(paper: Paper, { summary, action }: CheckDocument): void {
  paper.blank();
  const counts = [
    `${summary.fail} fail`,
    `${summary.warn} warn`,
    `${summary.info} info`,
    `${summary.pass} pass`,
    `${summary.notApplicable} not applicable`,
    ...(summary.skip > 0 ? [`${summary.skip} skipped`] : []),
    ...(summary.unknown > 0 ? [`${summary.unknown} unknown`] : []),
    ...(summary.suppressed > 0 ? [`${summary.suppressed} suppressed`] : []),
  ];
  paper.text(`${counts.join(', ')}${summary.complete ? '' : '; this run is incomplete'}`);
  if (action !== null) paper.last(`→ Do first: ${action}`, summary.fail > 0 ? 'red' : 'yellow');
  else if (summary.complete) paper.last('→ Nothing to do: no check found trouble.', 'green');
  else paper.last('→ Nothing to do about what could be seen; some checks could not see (above).', 'green');
}
