import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { Snapshot } from '../../src/model/snapshot/index.js';

const entry = fileURLToPath(new URL('../../bin/run.js', import.meta.url));

/**
 * Runs a shell script in namespaces of its own (`unshare` options, "--net --mount") and gives what it printed. The
 * script may mount over anything: nobody else sees it.
 */
export async function inPrivate(
  options: readonly string[],
  script: string,
  args: readonly string[] = [],
): Promise<string> {
  return (await execa('unshare', [...options, 'sh', '-euc', script, 'sh', ...args])).stdout;
}

/**
 * Takes a snapshot with the real command after a script has set things up. What the script puts into SOCKDOC_AS comes
 * before the command: another user, another namespace.
 */
export async function snapshotIn(
  options: readonly string[],
  script: string,
  args: readonly string[] = [],
): Promise<Snapshot> {
  const folder = mkdtempSync(join(tmpdir(), 'sockdoc-test-'));
  chmodSync(folder, 0o777);
  const file = join(folder, 'snapshot.json');
  try {
    // Its findings are of no interest here: only that it got as far as saving.
    const sockdoc = `\${SOCKDOC_AS:-} '${process.execPath}' '${entry}' check --window 0 --fail-on never --save '${file}' >/dev/null`;
    await inPrivate(options, `${script}\n${sockdoc} "$@"`, args);
    return JSON.parse(readFileSync(file, 'utf8')) as Snapshot;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
