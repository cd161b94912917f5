import { execFileSync, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { BIN, snapshotText, workFolder } from '../support/cli.js';
import { troubled } from '../support/troubled.js';

const folder = workFolder();
afterAll(folder.remove);

/** Runs with a window far longer than the test and stops it as soon as it has begun. */
async function stopped(signal: NodeJS.Signals, args: string[] = []) {
  const file = `stopped-${signal}.json`;
  const child = spawn(process.execPath, [BIN, 'check', '--window', '600000', '--save', file, ...args], {
    cwd: folder.path,
    env: { ...process.env, LANG: 'C.UTF-8' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const begun = () => readdirSync(folder.path).some((name) => name.startsWith(`.${file}.`));
  for (const end = Date.now() + 30_000; !begun() && child.exitCode === null && Date.now() < end; ) await sleep(20);
  expect(begun(), stderr).toBe(true);
  // The handler is there once the file is; a moment more puts the signal into the window itself.
  await sleep(300);
  child.kill(signal);
  return { code: await ended, stdout, stderr };
}

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('%s during the window ends at once with %i and leaves nothing', async (signal, code) => {
  const result = await stopped(signal);
  expect(result).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(`stopped by ${signal}`) });
  expect(readdirSync(folder.path)).toEqual([]);
});

test('under --json it is a document', async () => {
  const { stdout, stderr, code } = await stopped('SIGINT', ['--json']);
  expect([code, stderr]).toEqual([130, '']);
  expect(JSON.parse(stdout)).toMatchObject({ command: 'check', error: { code: 130, kind: 'interrupted' } });
});

/** Watches for an hour and is stopped after so many milliseconds. */
async function watched(ms: number) {
  const args = ['check', '--for', '1h', '--window', '100', '--only', 'timestamps', '--json'];
  const child = spawn(process.execPath, [BIN, ...args], { cwd: folder.path, stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.on('data', (chunk) => (stdout += chunk));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  await sleep(ms);
  child.kill('SIGINT');
  return { code: await ended, stdout };
}

test('--for that is stopped early reports the worst of what it has seen', async () => {
  // On a busy machine not one window may have ended: then there is nothing to report, and it is watched for longer.
  for (const ms of [2000, 8000, 20_000]) {
    const { code, stdout } = await watched(ms);
    if (code === null && ms < 20_000) continue; // it had not yet got as far as to hear the signal
    const document = JSON.parse(stdout);
    if (code === 130 && document.error.kind === 'interrupted' && ms < 20_000) continue;
    expect(code).toBe(0);
    expect(document.sampling.windows).toBeGreaterThan(0);
    expect(document.sampling.forMs).toBeLessThan(ms + 20_000);
    expect(document.results).toContainEqual(expect.objectContaining({ id: 'timestamps', status: 'pass' }));
    return;
  }
});

test('--for runs its time and says how many windows it judged', async () => {
  const args = ['check', '--for', '2s', '--window', '100', '--only', 'timestamps', '--json'];
  const document = JSON.parse(execFileSync(process.execPath, [BIN, ...args], { cwd: folder.path, encoding: 'utf8' }));
  expect(document.sampling).toEqual({ forMs: 2000, windows: expect.any(Number) });
  expect(document.sampling.windows).toBeGreaterThan(0);
});

test('a reader that leaves ends it quietly', () => {
  const snapshot = folder.file('a.json', snapshotText(troubled));
  const script = `set -o pipefail; "${process.execPath}" "${BIN}" "$@" | head -c 1 >/dev/null; echo "\${PIPESTATUS[0]}"`;
  const run = (...args: string[]) =>
    execFileSync('bash', ['-c', `${script}`, 'bash', ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  expect(run('check', '--snapshot', snapshot, '--fail-on', 'never', '--verbose')).toBe('0\n');
  expect(run('schema', '--json')).toBe('0\n');
  expect(run('check', '--list')).toBe('0\n');
  // The pipe is closed before anything is written, and stderr as well.
  const closed = `"${process.execPath}" "${BIN}" check --snapshot ${join(folder.path, 'a.json')} > >(exec true) 2>/dev/null; echo $?`;
  expect(execFileSync('bash', ['-c', `sleep 0; ${closed}`], { encoding: 'utf8' })).toBe('1\n');
});
