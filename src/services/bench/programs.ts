import { spawnSync } from 'node:child_process';
import { accessSync, constants, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Program } from './cases.js';

/** Servers stand where the PATH of an ordinary user does not look. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/sbin'];

/** Debian keeps PostgreSQL's server apart, each version in a folder of its own. */
const POSTGRES = '/usr/lib/postgresql';

/** The file of an installed program. */
export function programFile(name: string): string | undefined {
  const folders = [
    ...(process.env.PATH ?? '').split(delimiter).filter(Boolean),
    ...SYSTEM_FOLDERS,
    ...postgresFolders(),
  ];
  return folders.map((folder) => join(folder, name)).find(executable);
}

/** The newest version first. */
function postgresFolders(): string[] {
  try {
    const versions = readdirSync(POSTGRES).toSorted((a, b) => Number(b) - Number(a));
    return versions.map((version) => join(POSTGRES, version, 'bin'));
  } catch {
    return [];
  }
}

function executable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** What is missing of them, with the command that helps. */
export function missingPrograms(programs: readonly Program[]): { reason: string; next: string } | undefined {
  const missing = programs.filter(({ name }) => programFile(name) === undefined);
  if (missing.length === 0) return undefined;
  const packages = [...new Set(missing.map((program) => program.package))];
  return {
    reason: `not installed: ${missing.map(({ name }) => name).join(', ')}`,
    next: `apt install ${packages.join(' ')}`,
  };
}

/** What they say of their version; those that are not installed are left out. */
export function programVersions(programs: readonly Program[]): Record<string, string> {
  const versions: Record<string, string> = {};
  for (const { name } of programs) {
    const file = programFile(name);
    if (file === undefined) continue;
    const { stdout, stderr } = spawnSync(file, [name === 'nginx' ? '-v' : '--version'], {
      encoding: 'utf8',
      timeout: 5000,
    });
    const version = /\d+\.\d+(\.\d+)?/.exec(`${stdout}${stderr}`)?.[0];
    if (version !== undefined) versions[name] = version;
  }
  return versions;
}
