import type { BenchDocument, BenchFormat } from '../../model/bench.js';

/** The results in the format that was asked for; only that writer is loaded. */
export async function writeBench(document: BenchDocument, format: BenchFormat): Promise<string> {
  switch (format) {
    case 'markdown':
      return (await import('./markdown.js')).benchMarkdown(document);
    case 'csv':
      return (await import('./csv.js')).benchCsv(document);
    case 'svg':
      return (await import('./svg.js')).benchSvg(document);
    case 'html':
      return (await import('./html.js')).benchHtml(document);
  }
}
