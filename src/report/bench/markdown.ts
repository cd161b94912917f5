import type { BenchDocument } from '../../model/bench.js';
import { escapeMarkdown } from '../markdown.js';
import { hostLines } from '../pretty/bench.js';
import { fittedLines } from './fitted.js';
import { benchCells, benchRows, COLUMNS } from './rows.js';

/** A table for each suite. */
export function benchMarkdown(document: BenchDocument): string {
  const lines = ['# sockdoc bench', '', ...hostLines(document).flatMap((line) => [escapeMarkdown(line), ''])];
  for (const suite of document.settings.suites) {
    const rows = benchRows(document.results).filter((row) => row.suite === suite);
    if (rows.length === 0) continue;
    lines.push(`## ${escapeMarkdown(suite)}`, '', cells(COLUMNS), cells(COLUMNS.map(() => '---')));
    for (const row of rows)
      for (const result of row.results) lines.push(cells(benchCells(row, result).map(escapeMarkdown)));
    lines.push('', ...fittedLines(rows).flatMap((line) => [escapeMarkdown(line), '']));
  }
  const left = document.notMeasured.map(
    ({ suite, case: name, transport, reason, next }) =>
      `- ${escapeMarkdown([suite, name, transport].filter(Boolean).join(', '))}: ${escapeMarkdown(reason)}${next === undefined ? '' : ` (${escapeMarkdown(next)})`}`,
  );
  return `${[...lines, ...(left.length > 0 ? ['## Not measured', '', ...left, ''] : [])].join('\n')}`;
}

const cells = (texts: readonly string[]) => `| ${texts.join(' | ')} |`;
