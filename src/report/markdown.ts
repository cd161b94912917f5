import type { CheckDocument, Result } from '../model/results.js';
import { subjectText } from '../model/subject.js';
import { clean } from './clean.js';
import { bytesText, durationText, evidenceTexts } from './values.js';

const SHOWN = ['fail', 'warn', 'info'] as const;

/** For a ticket or a pull request. */
export function markdown(document: CheckDocument): string {
  const { host, summary } = document;
  const facts = [
    `**${escapeMarkdown(host.hostname)}**`,
    `Linux ${escapeMarkdown(host.kernel)} ${escapeMarkdown(host.arch)}`,
    `${host.cpus} CPUs, ${bytesText(host.memoryBytes)}`,
    document.windowMs === 0 ? 'one reading' : `window ${durationText(document.windowMs)}`,
    escapeMarkdown(document.takenAt),
  ];
  const lines = [
    '# sockdoc check',
    '',
    facts.join(' · '),
    '',
    '| fail | warn | info | pass | not applicable | skipped | unknown | suppressed |',
    '|---:|---:|---:|---:|---:|---:|---:|---:|',
    `| ${[summary.fail, summary.warn, summary.info, summary.pass, summary.notApplicable, summary.skip, summary.unknown, summary.suppressed].join(' | ')} |`,
    ...SHOWN.flatMap((status) => section(status, document.results)),
    ...suppressed(document.results),
    ...unseen(document),
    '',
    document.action === null ? 'Nothing to do.' : `**Do first:** ${escapeMarkdown(document.action)}`,
  ];
  return `${lines.join('\n')}\n`;
}

function section(status: (typeof SHOWN)[number], results: readonly Result[]): string[] {
  const found = results.filter((result) => result.status === status && !result.suppressed);
  return found.length === 0 ? [] : ['', `## ${status} (${found.length})`, ...found.flatMap(finding)];
}

function finding(result: Result): string[] {
  const about = subjectText(result.subject);
  const seen = evidenceTexts(result.evidence, (item) => subjectText(item.subject));
  const { remedy } = result;
  return [
    '',
    `### ${result.id}: ${escapeMarkdown(result.title)}`,
    '',
    `${escapeMarkdown(result.summary)}${about ? ` (${escapeMarkdown(about)})` : ''}`,
    '',
    ...seen.map((line) => `- ${escapeMarkdown(line)}`),
    ...(seen.length > 0 ? [''] : []),
    `**Why:** ${escapeMarkdown(result.why)}`,
    ...(remedy
      ? [
          '',
          `**Do:** ${escapeMarkdown(remedy.summary)}`,
          ...(remedy.commands.length > 0 ? ['', ...fence(remedy.commands)] : []),
          '',
          `**Risk:** ${escapeMarkdown(remedy.risk)} **Undo:** ${escapeMarkdown(remedy.undo)} **Needs:** ${escapeMarkdown(remedy.needs)}`,
        ]
      : []),
  ];
}

function suppressed(results: readonly Result[]): string[] {
  const found = results.filter((result) => result.suppressed);
  if (found.length === 0) return [];
  const line = ({ id, summary, suppressed: by }: Result) =>
    `- ${id}: ${escapeMarkdown(summary)} (accepted: ${escapeMarkdown(by?.reason ?? '')})`;
  return ['', `## suppressed (${found.length})`, '', ...found.map(line)];
}

function unseen({ results, gaps = [] }: CheckDocument): string[] {
  const blind = results.filter(({ status, suppressed: by }) => (status === 'unknown' || status === 'skip') && !by);
  if (blind.length === 0 && gaps.length === 0) return [];
  return [
    '',
    '## not seen',
    '',
    ...blind.map(({ id, summary }) => `- ${id}: ${escapeMarkdown(summary)}`),
    ...gaps.map(
      ({ what, reason, needs }) => `- ${escapeMarkdown(`${what}: ${reason}${needs ? `; ${needs} would help` : ''}`)}`,
    ),
  ];
}

/** A fence longer than any run of backticks inside. */
function fence(commands: readonly string[]): string[] {
  const lines = commands.flatMap((command) => command.split('\n').map(clean));
  const longest = Math.max(2, ...lines.flatMap((line) => (line.match(/`+/g) ?? []).map((run) => run.length)));
  const ticks = '`'.repeat(longest + 1);
  return [`${ticks}sh`, ...lines, ticks];
}

/** Host text must show as it is: no markup, no HTML, no table cells, no mentions, and no list or heading where it begins. */
export function escapeMarkdown(text: string): string {
  return clean(text)
    .replace(/[\\`*_{}[\]#|~<>$@!]/g, '\\$&')
    .replaceAll('&', '&amp;')
    .replace(/^(\s*)([-+=])/, '$1\\$2')
    .replace(/^(\s*\d+)([.)])(?=\s)/, '$1\\$2');
}
