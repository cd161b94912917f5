import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { tryLock } from '../../probes/native.js';

/** A lock that is held until release(), or until the process ends, however it ends. */
export interface Lock {
  release(): void;
}

/** Takes the lock of a file, which is made where it is not there; or says who holds it. */
export function takeLock(path: string, purpose: string): Lock | { holder: string } {
  const fd = openSync(path, 'a', 0o600);
  if (!tryLock(fd)) {
    closeSync(fd);
    return { holder: readFileSync(path, 'utf8').trim() || 'another process' };
  }
  ftruncateSync(fd);
  writeSync(fd, `pid ${process.pid} (${purpose})\n`);
  return { release: () => closeSync(fd) };
}
