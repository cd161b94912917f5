import type { ExplainDocument } from '../../model/explain.js';
import type { Status } from '../../model/results.js';
import { writeFinding } from './finding.js';
import { type Ink, type Look, Paper } from './paper.js';

const MARKS: Readonly<Record<Status, { symbol: string; ink: Ink }>> = {
  fail: { symbol: '✖', ink: 'red' },
  warn: { symbol: '▲', ink: 'yellow' },
  info: { symbol: '●', ink: 'blue' },
  pass: { symbol: '✔', ink: 'green' },
  skip: { symbol: '–', ink: 'dim' },
  unknown: { symbol: '?', ink: 'dim' },
  'not-applicable': { symbol: '·', ink: 'dim' },
};

/** The page of a check, to be read offline. */
export function prettyExplain(page: ExplainDocument, look: Look): string {
  const paper = new Paper(look);
  paper.text(`${page.id}: ${page.title} (${page.category})`, { ink: 'bold' });
  if (page.here) writeHere(paper, page);
  const thresholds = page.thresholds.map(
    ({ name, value, default: preset, unit, description }) =>
      `${name} = ${value} ${unit}${value === preset ? '' : ` (the default is ${preset})`}: ${description}`,
  );
  section(paper, 'What happens', [page.mechanism]);
  section(paper, 'How it is read', [page.reads]);
  section(paper, 'When it speaks', [page.threshold, ...thresholds]);
  section(paper, 'Why it matters', [page.why]);
  section(paper, 'What to do', [page.remedy]);
  if (page.tune) writeTune(paper, page.tune);
  section(paper, 'Risk', [page.risk]);
  section(paper, 'How to undo it', [page.undo]);
  section(paper, 'What it needs', [page.needs]);
  section(paper, 'Configuration of this host', page.configuration);
  section(paper, 'Sources', page.sources);
  return paper.toString();
}

function writeTune(paper: Paper, { keys, command }: NonNullable<ExplainDocument['tune']>): void {
  paper.blank();
  paper.text('What sockdoc tune can do', { ink: 'bold' });
  paper.prose(`Where this check asks for it, show and set ${keys.join(', ')}, measure again, and take it back:`, '  ');
  paper.command(command, '  ');
}

function section(paper: Paper, title: string, paragraphs: readonly string[]): void {
  if (paragraphs.length === 0) return;
  paper.blank();
  paper.text(title, { ink: 'bold' });
  for (const paragraph of paragraphs) paper.prose(paragraph, '  ');
}

function writeHere(paper: Paper, { here = [] }: ExplainDocument): void {
  paper.blank();
  paper.text('Here', { ink: 'bold' });
  for (const [i, result] of here.entries())
    writeFinding(paper, result, { ...MARKS[result.status], before: here[i - 1], verbose: true });
}
