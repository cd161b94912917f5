import { chmodSync, mkdirSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { snapshotText, sockdoc, workFolder } from '../support/cli.js';
import { expectValid } from '../support/schemas.js';
import { troubled } from '../support/troubled.js';

const folder = workFolder();
afterAll(folder.remove);
const whole = snapshotText(troubled);
const good = folder.file('good.json', whole);

/** Fails as promised, for people and for programs. */
async function expectError(args: string[], code: number, ...texts: (string | RegExp)[]) {
  const [people, programs] = await Promise.all([
    sockdoc(args, { cwd: folder.path }),
    sockdoc([...args, '--json'], { cwd: folder.path }),
  ]);
  expect(people.code, people.stdout).toBe(code);
  expect(people.stdout).toBe('');
  for (const text of texts) expect(people.stderr).toMatch(text);
  expect(programs.code).toBe(code);
  expect(programs.stderr).toBe('');
  const document = JSON.parse(programs.stdout);
  await expectValid('error', document);
  expect(document.error.code).toBe(code);
}

test('wrong flags, values and ids name what was expected', async () => {
  await expectError(['check', '--frobnicate'], 2, 'unknown flag --frobnicate', 'Example: sockdoc check');
  await expectError(['check', '--verbos'], 2, 'did you mean --verbose');
  await expectError(['check', '--only', 'listen-overflw'], 2, 'there is no check "listen-overflw"', 'listen-overflow');
  await expectError(['check', '--skip', 'nonsense'], 2, 'there is no check "nonsense"', 'check --list');
  await expectError(['check', '--window', '-1'], 2, /"-1" is no window: whole milliseconds from 0/, 'Example');
  await expectError(['check', '--window=soon'], 2, '"soon" is no window');
  await expectError(['check', '--window', '99999999'], 2, 'too long a window');
  await expectError(['check', '--pid', 'nginx'], 2, '"nginx" is no process id');
  await expectError(['check', '--for', '5x'], 2, 'no duration');
  await expectError(['check', '--for', '1s', '--window', '0'], 2, 'no room for a window');
  await expectError(['check', '--profile', 'fast'], 2, 'general, latency');
  await expectError(['check', '--fail-on', 'info'], 2, 'warn, fail, never');
  await expectError(['check', 'extra'], 2, 'unexpected argument: extra');
  await expectError(['explain'], 2, 'missing argument: id');
  await expectError(['explain', 'nonsense'], 2, 'there is no check "nonsense"');
  await expectError(['schema', 'chek'], 2, 'Did you mean: check');
  await expectError(['diff', good], 2, 'missing argument: b');
  await expectError(['chekc'], 2, 'there is no command "chekc"', 'Did you mean: check');
});

test('flags that contradict each other', async () => {
  await expectError(['check', '--snapshot', good, '--pid', '1'], 2, '--snapshot and --pid contradict');
  await expectError(['check', '--snapshot', good, '--window', '5'], 2, '--snapshot and --window contradict');
  await expectError(['check', '--snapshot', good, '--save', 'x.json'], 2, '--snapshot and --save contradict');
  await expectError(['check', '--pid', '1', '--unit', 'x'], 2, 'cannot be used together');
  await expectError(['check', '--only', 'timestamps', '--skip', 'timestamps'], 2, 'no check is left');
  const { code, stderr } = await sockdoc(['check', '--list', '--format', 'sarif']);
  expect([code, stderr]).toEqual([2, expect.stringContaining('--list cannot be printed as sarif')]);
});

test('a snapshot that is none is wrong use', async () => {
  const at = (name: string, content: string) => ['check', '--snapshot', folder.file(name, content)];
  await expectError(['check', '--snapshot', 'absent.json'], 2, 'does not exist');
  await expectError(at('cut.json', whole.slice(0, whole.length / 2)), 2, 'is truncated');
  await expectError(['diff', good, 'absent.json'], 2, 'absent.json does not exist');
});

test.skipIf(process.geteuid?.() !== 0)('a snapshot that may not be read is a question of permission', async () => {
  const secret = folder.file('secret.json', whole);
  chmodSync(secret, 0o600);
  chmodSync(folder.path, 0o755);
  const result = await sockdoc(['check', '--snapshot', secret], { uid: 65534, gid: 65534, cwd: '/' });
  expect([result.code, result.stderr]).toEqual([3, expect.stringContaining('may not be read')]);
});

test('a configuration that is wrong is refused with line and column', async () => {
  const yaml = (text: string) => ['check', '--snapshot', good, '--config', folder.file('c.yaml', text)];
  await expectError(yaml('suppressions: [\n'), 2, /c\.yaml:2:1: /, 'Expected: YAML');
  await expectError(yaml('severity:\n  timestmps: info\n'), 2, /c\.yaml:2:3 .*did you mean timestamps/);
  await expectError(
    yaml('colour: red\n'),
    2,
    /c\.yaml:1:1 \(colour\): unknown field/,
    'suppressions, severity, thresholds',
  );
  await expectError(['check', '--config', 'absent.yaml'], 2, 'absent.yaml cannot be read: ENOENT');
});

test.skipIf(process.geteuid?.() !== 0)(
  'root does not obey a configuration that somebody else left in the folder',
  async () => {
    const place = `${folder.path}/foreign`;
    mkdirSync(place);
    const file = folder.file('foreign/.sockdoc.yaml', 'severity: {listen-overflow: info}\n');
    (await import('node:fs')).chownSync(file, 65534, 65534);
    const { code, stderr } = await sockdoc(['check', '--snapshot', good], { cwd: place });
    expect(code).toBe(1);
    expect(stderr).toContain('.sockdoc.yaml is not used: it belongs to uid 65534');
  },
);
