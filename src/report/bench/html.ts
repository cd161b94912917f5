import type { BenchDocument } from '../../model/bench.js';
import { hostLines } from '../pretty/bench.js';
import { chartsOf } from './charts.js';
import { fittedLines } from './fitted.js';
import { benchCells, benchRows, COLUMNS } from './rows.js';
import { chartSvg } from './svg.js';
import { escapeXml } from './xml.js';

const STYLE = `body { font-family: sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em; color: #222; }
table { border-collapse: collapse; margin: 1em 0 2em; }
th, td { padding: 0.25em 0.75em; text-align: left; border-bottom: 1px solid #ddd; }
td:nth-child(n+4):nth-child(-n+8) { text-align: right; font-variant-numeric: tabular-nums; }
svg { max-width: 100%; height: auto; }`;

/** One page with charts and tables; it loads nothing. */
export function benchHtml(document: BenchDocument): string {
  const { settings, notMeasured } = document;
  const charts = chartsOf(document).map((chart) => `<figure>${chartSvg(chart)}</figure>`);
  const left = notMeasured.map(
    ({ suite, case: name, transport, reason, next }) =>
      `<li>${escapeXml([suite, name, transport].filter(Boolean).join(', '))}: ${escapeXml(reason)}${next === undefined ? '' : ` <code>${escapeXml(next)}</code>`}</li>`,
  );
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>sockdoc bench, ${escapeXml(document.host.hostname)}</title><style>${STYLE}</style></head>
<body>
<h1>sockdoc bench</h1>
${hostLines(document)
  .map((line) => `<p>${escapeXml(line)}</p>`)
  .join('\n')}
${charts.join('\n')}
${settings.suites.map((suite) => tableOf(document, suite)).join('\n')}
${left.length > 0 ? `<h2>Not measured</h2><ul>${left.join('')}</ul>` : ''}
</body>
</html>
`;
}

function tableOf({ results }: BenchDocument, suite: string): string {
  const rows = benchRows(results).filter((row) => row.suite === suite);
  if (rows.length === 0) return '';
  const lines = rows.flatMap((row) =>
    row.results.map(
      (result) =>
        `<tr>${benchCells(row, result)
          .map((text) => `<td>${escapeXml(text)}</td>`)
          .join('')}</tr>`,
    ),
  );
  return `<h2>${escapeXml(suite)}</h2>
<table><thead><tr>${COLUMNS.map((title) => `<th>${title}</th>`).join('')}</tr></thead>
<tbody>
${lines.join('\n')}
</tbody></table>
${fittedLines(rows)
  .map((line) => `<p>${escapeXml(line)}</p>`)
  .join('\n')}`;
}
