import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa, type Options } from 'execa';
import { type SnapshotParts, snapshotOf } from './snapshot.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const BIN = join(ROOT, 'bin/run.js');

/** The real command in an empty folder with a plain environment: nothing of this machine's configuration gets in. */
export async function sockdoc(args: readonly string[], options: Options & { cwd?: string } = {}) {
  const { env, ...rest } = options;
  const result = await execa(process.execPath, [BIN, ...args], {
    reject: false,
    extendEnv: false,
    env: { PATH: process.env.PATH ?? '', HOME: '/nonexistent', LANG: 'C.UTF-8', ...env },
    cwd: tmpdir(),
    stripFinalNewline: false,
    ...rest,
  });
  return { code: result.exitCode, stdout: String(result.stdout ?? ''), stderr: String(result.stderr ?? '') };
}

/** A folder of the test's own, and how to remove it. */
export function workFolder() {
  const path = mkdtempSync(join(tmpdir(), `sockdoc-test-${process.pid}-`));
  return {
    path,
    file: (name: string, content: string | Uint8Array) => {
      writeFileSync(join(path, name), content);
      return join(path, name);
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** A made-up host as --save would write it. */
export const snapshotText = (parts: SnapshotParts) => `${JSON.stringify(snapshotOf(parts))}\n`;
