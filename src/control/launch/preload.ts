import { createHash } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { notPossible } from '../../support/errors.js';
import { ownFolders } from '../monitor/places.js';

/** LD_PRELOAD is split at spaces and colons, and the loader replaces $NAME. */
const CANNOT_STAND_IN_IT = /[\s:$]/;

/**
 * A path of this library that LD_PRELOAD can hold: its own, or else that of a symbolic link in a folder that nobody else
 * can change.
 */
export function preloadable(library: string): string {
  if (!CANNOT_STAND_IN_IT.test(library)) return library;
  let reason = '';
  for (const folder of ownFolders()) {
    if (CANNOT_STAND_IN_IT.test(folder)) continue;
    try {
      return linkIn(folder, realpathSync(library));
    } catch (error) {
      reason = `: ${(error as Error).message}`;
    }
  }
  throw notPossible(
    `LD_PRELOAD cannot hold the path ${library}, which has a space, a colon or a dollar sign, and no link to it could be made${reason}`,
    { next: 'Install sockdoc where the path has none of them.' },
  );
}

function linkIn(folder: string, library: string): string {
  mkdirSync(folder, { recursive: true, mode: process.geteuid?.() === 0 ? 0o755 : 0o700 });
  requireOwn(folder);
  const link = `${folder}/libsd-${createHash('sha256').update(library).digest('hex').slice(0, 16)}.so`;
  if (leadsTo(link, library)) return link;
  const fresh = `${link}.${process.pid}`;
  symlinkSync(library, fresh);
  try {
    renameSync(fresh, link);
  } catch (error) {
    unlinkSync(fresh);
    throw error;
  }
  return link;
}

/** Whoever can change the folder could put a library of his own there; the same holds for the folders above it. */
function requireOwn(folder: string): void {
  const uid = process.geteuid?.() ?? 0;
  const own = realpathSync(folder);
  for (let path = own; ; path = dirname(path)) {
    const info = lstatSync(path);
    const sticky = (info.mode & 0o1000) !== 0 && path !== own;
    const others = (info.mode & 0o022) !== 0 && !sticky;
    if (!info.isDirectory() || others || (info.uid !== 0 && info.uid !== uid))
      throw new Error(`others than root and you could change ${path}`);
    if (path === '/') return;
  }
}

function leadsTo(link: string, library: string): boolean {
  try {
    return lstatSync(link).isSymbolicLink() && readlinkSync(link) === library && statSync(link).isFile();
  } catch {
    return false;
  }
}
