// Finds the programs that a build needs; as root on Debian it installs what is missing, otherwise it says how.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

export function onPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Runs a program with our stdio and ends the build when it fails. */
export function run(program, args, options = {}) {
  const { status, error, signal } = spawnSync(program, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    cwd: root,
    ...options,
  });
  if (error) fail(`${program}: ${error.message}`);
  if (status === 0) return;
  const shown = args.length > 8 ? [...args.slice(0, 8), `and ${args.length - 8} more`] : args;
  fail(`${program} ${shown.join(' ')} ended with ${signal ?? `status ${status}`}`);
}

export function fail(message) {
  process.stderr.write(`sockdoc build: ${message}\n`);
  process.exit(1);
}

/** Makes sure that programs (name → Debian package) are there. */
export function require(packages) {
  const missing = Object.entries(packages).filter(([program]) => !onPath(program));
  if (missing.length === 0) return;
  const names = [...new Set(missing.map(([, name]) => name))];
  const line = `apt-get install -y --no-install-recommends ${names.join(' ')}`;
  const wanted = missing.map(([program]) => program).join(', ');
  if (process.getuid?.() !== 0 || !onPath('apt-get'))
    fail(`${wanted} not found. Run:\n  sudo ${line}\nthen repeat the command.`);
  process.stderr.write(`sockdoc build: ${wanted} not found, running: ${line}\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  run('apt-get', ['update', '-qq'], { env });
  run('apt-get', line.split(' ').slice(1), { env });
}
