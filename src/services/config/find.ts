import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { usageError } from '../../support/errors.js';

export interface ConfigFile {
  path: string;
  text: string;
}

interface Found {
  /** Nearest first. */
  files: ConfigFile[];
  /** Files that were passed over, with the reason. */
  warnings: string[];
}

const NAMES = ['.sockdoc.yaml', 'sockdoc.yaml'];

/** The file that --config names and no other; or those of this folder, of the user and of the host, as far as they exist. */
export function findConfig(named: string | undefined, env: NodeJS.ProcessEnv = process.env): Found {
  if (named !== undefined) return { files: [{ path: named, text: read(named) }], warnings: [] };
  const here = existing(['.sockdoc.yaml']);
  const user = existing(NAMES.map((name) => join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'sockdoc', name)));
  const host = existing(NAMES.map((name) => join('/etc/sockdoc', name)));
  const files: ConfigFile[] = [];
  const warnings: string[] = [];
  for (const path of [here, user, host]) {
    if (path === undefined) continue;
    const objection = path === here ? foreign(path, env) : undefined;
    if (objection) warnings.push(objection);
    else files.push({ path, text: read(path) });
  }
  return { files, warnings };
}

function existing(paths: string[]): string | undefined {
  return paths.find(isFile);
}

/** A folder that is closed to us holds nothing for us: after `sudo -u` or setpriv HOME is still the former user's. */
function isFile(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
  } catch {
    return false;
  }
}

/** In a folder like /tmp somebody else's file must not silence what root looks for. */
function foreign(path: string, env: NodeJS.ProcessEnv): string | undefined {
  const { uid } = statSync(path);
  const trusted = [0, process.geteuid?.(), Number(env.SUDO_UID || Number.NaN)];
  if (trusted.includes(uid)) return undefined;
  return `${path} is not used: it belongs to uid ${uid}, which is neither root nor you; use it with --config ${path}`;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw usageError(`the configuration ${path} cannot be read: ${code}`, {
      cause: error,
      next: 'Expected: a YAML file as in docs/configuration.md\nExample: sockdoc check --config .sockdoc.yaml',
    });
  }
}
