import type { CheckDocument, Result, Subject } from '../model/results.js';
import { subjectText } from '../model/subject.js';
import { clean, safeJson } from './clean.js';
import { evidenceTexts } from './values.js';

const SCHEMA = 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json';
const LEVELS = { fail: 'error', warn: 'warning', info: 'note' } as const;

/**
 * SARIF 2.1.0 (OASIS). Findings are results of kind "fail" with their level; what could not be judged is "open". Checks
 * that passed or do not apply are counted in the run's properties.
 */
export function sarif(document: CheckDocument): string {
  const results = document.results.filter(({ status }) => status !== 'pass' && status !== 'not-applicable');
  const rules = [...new Map(results.map((result) => [result.id, result])).values()];
  const index = new Map(rules.map(({ id }, i) => [id, i]));
  return `${safeJson({
    $schema: SCHEMA,
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'sockdoc', version: document.version, rules: rules.map(rule) } },
        invocations: [
          {
            executionSuccessful: true,
            startTimeUtc: document.takenAt,
            machine: document.host.hostname,
            toolExecutionNotifications: (document.gaps ?? []).map(notification),
          },
        ],
        results: results.map((result) => resultOf(result, index.get(result.id) ?? -1)),
        columnKind: 'utf16CodeUnits',
        properties: {
          host: document.host,
          summary: document.summary,
          action: document.action,
          windowMs: document.windowMs,
        },
      },
    ],
  })}\n`;
}

function rule({ id, title, why, references, category }: Result) {
  const [uri] = references.flatMap((reference) => /https?:\/\/[^\s)]+/.exec(reference)?.[0] ?? []);
  return {
    id,
    name: id.replace(/(?:^|-)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
    shortDescription: { text: clean(title) },
    fullDescription: { text: clean(why) },
    ...(uri ? { helpUri: uri } : {}),
    properties: { category, tags: [category] },
  };
}

function resultOf(result: Result, ruleIndex: number) {
  const { id, status, subject } = result;
  const level = status === 'fail' || status === 'warn' || status === 'info' ? LEVELS[status] : undefined;
  return {
    ruleId: id,
    ruleIndex,
    kind: level ? 'fail' : 'open',
    level: level ?? 'none',
    message: { text: messageOf(result) },
    locations: [{ ...physical(result), logicalLocations: [logical(subject)] }],
    partialFingerprints: { 'sockdoc/v1': fingerprint(id, subject) },
    ...(result.suppressed
      ? { suppressions: [{ kind: 'external', justification: clean(result.suppressed.reason) }] }
      : {}),
    properties: { status, evidence: result.evidence, ...(result.remedy ? { remedy: result.remedy } : {}) },
  };
}

function messageOf({ summary, evidence, remedy }: Result): string {
  const seen = evidenceTexts(evidence, (item) => subjectText(item.subject));
  const parts = [summary, ...seen, ...(remedy ? [`What to do: ${remedy.summary}`, ...remedy.commands] : [])];
  return parts.map(clean).join('\n');
}

/** The file that it stands in, else the file that the first number was read from. */
function physical({ subject, evidence }: Result) {
  const source = subject?.file ?? evidence.map((item) => item.source).find((text) => text.startsWith('/'));
  const [, path, line] = /^(\/.*?)(?::(\d+))?$/.exec(source ?? '') ?? [];
  if (path === undefined) return {};
  const uri = `file://${path.split('/').map(encodeURIComponent).join('/')}`;
  const region = line === undefined ? {} : { region: { startLine: Math.max(1, Number(line)) } };
  return { physicalLocation: { artifactLocation: { uri }, ...region } };
}

function logical(subject: Subject | undefined) {
  const name = clean(subjectText(subject)) || 'host';
  const kind = (subject?.interface ?? subject?.device) ? 'device' : subject?.pid === undefined ? 'resource' : 'process';
  return { name, kind };
}

/** The same finding in the next run: without pids and descriptors, which change. */
function fingerprint(id: string, subject: Subject | undefined): string {
  const { pid: _pid, tid: _tid, fd: _fd, connection: _connection, ...lasting } = subject ?? {};
  return clean(`${id}/${subjectText(lasting)}`);
}

function notification({ probe, what, reason, needs }: NonNullable<CheckDocument['gaps']>[number]) {
  return {
    descriptor: { id: `gap/${clean(probe)}` },
    level: 'note',
    message: { text: clean(`${what}: ${reason}${needs ? ` (${needs} would help)` : ''}`) },
  };
}
