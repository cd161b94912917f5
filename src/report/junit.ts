import type { CheckDocument, FailOn, Result } from '../model/results.js';
import { subjectText } from '../model/subject.js';
import { clean } from './clean.js';
import { evidenceTexts } from './values.js';

/**
 * JUnit XML as the schema of Jenkins describes it: a suite per category, a case per result. What is at or
 * above the threshold is a failure; what could not be judged or does not apply is skipped.
 */
export function junit(document: CheckDocument, failOn: FailOn): string {
  const categories = [...new Set(document.results.map((result) => result.category))];
  const suites = categories.map((category, id) =>
    suite(
      document,
      category,
      id,
      document.results.filter((result) => result.category === category),
      failOn,
    ),
  );
  return ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites>', ...suites.flat(), '</testsuites>', ''].join('\n');
}

function suite(
  document: CheckDocument,
  category: string,
  id: number,
  results: readonly Result[],
  failOn: FailOn,
): string[] {
  const failures = results.filter((result) => isFailure(result, failOn)).length;
  const attributes = {
    name: `sockdoc.${category}`,
    package: 'sockdoc',
    id,
    timestamp: document.takenAt.slice(0, 19),
    hostname: document.host.hostname || 'unknown',
    tests: results.length,
    failures,
    errors: 0,
    skipped: results.filter((result) => isSkipped(result)).length,
    time: '0',
  };
  return [
    `  <testsuite${attributeText(attributes)}>`,
    '    <properties>',
    ...Object.entries({ kernel: document.host.kernel, windowMs: document.windowMs, action: document.action ?? '' }).map(
      ([name, value]) => `      <property${attributeText({ name, value })}/>`,
    ),
    '    </properties>',
    ...results.flatMap((result) => testcase(result, category, failOn)),
    `    <system-out>${escapeXml(notes(results, failOn))}</system-out>`,
    '    <system-err></system-err>',
    '  </testsuite>',
  ];
}

function testcase(result: Result, category: string, failOn: FailOn): string[] {
  const about = subjectText(result.subject);
  const open = `    <testcase${attributeText({ name: `${result.id}${about ? ` (${about})` : ''}`, classname: `sockdoc.${category}`, time: '0' })}`;
  if (isFailure(result, failOn)) {
    const attributes = attributeText({ type: result.status, message: result.summary });
    return [`${open}>`, `      <failure${attributes}>${escapeXml(detail(result))}</failure>`, '    </testcase>'];
  }
  if (isSkipped(result)) return [`${open}>`, '      <skipped/>', '    </testcase>'];
  return [`${open}/>`];
}

const isFailure = ({ status, suppressed }: Result, failOn: FailOn) =>
  !suppressed && (status === 'fail' || (status === 'warn' && failOn === 'warn'));

const isSkipped = ({ status, suppressed }: Result) =>
  suppressed !== undefined || status === 'skip' || status === 'unknown' || status === 'not-applicable';

function detail(result: Result): string {
  const { remedy } = result;
  return [
    result.summary,
    ...evidenceTexts(result.evidence, (item) => subjectText(item.subject)),
    `Why: ${result.why}`,
    ...(remedy ? [`Do: ${remedy.summary}`, ...remedy.commands, `Risk: ${remedy.risk}`, `Undo: ${remedy.undo}`] : []),
  ].join('\n');
}

/** What is neither a failure nor a plain pass, so that nothing is lost: the schema has no place for it in a case. */
function notes(results: readonly Result[], failOn: FailOn): string {
  return results
    .filter((result) => result.status !== 'pass' && !isFailure(result, failOn))
    .map(({ id, status, summary, suppressed }) => `${suppressed ? 'suppressed' : status} ${id}: ${summary}`)
    .join('\n');
}

function attributeText(attributes: Readonly<Record<string, string | number>>): string {
  return Object.entries(attributes)
    .map(([name, value]) => ` ${name}="${escapeXml(String(value).replaceAll('\n', ' '))}"`)
    .join('');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** XML 1.0 cannot hold control characters at all, escaped or not: they are spelled out. */
function escapeXml(text: string): string {
  return text
    .split('\n')
    .map((line) =>
      clean(line)
        .replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char)
        .replace(/[\ufffe\uffff]/g, '\ufffd'),
    )
    .join('\n');
}
