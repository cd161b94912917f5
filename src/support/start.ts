import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const O_NONBLOCK = 0o4000;

/** Descriptors as they were before any stream of ours was made: Node changes them when it uses them. */
export interface Start {
  openAtStart: number[];
  nonblocking: number[];
  blocking: number[];
}

/** bin/run.js loads this module first of all: other modules look at stdout and stderr as soon as they are loaded. */
export const start: Readonly<Start> = noteStart();

function noteStart(): Start {
  const standard = [0, 1, 2];
  return {
    openAtStart: openDescriptors(),
    nonblocking: standard.filter(isNonblocking),
    blocking: standard.filter((fd) => !isNonblocking(fd)),
  };
}

function openDescriptors(): number[] {
  try {
    return readdirSync('/proc/self/fd').filter(isOpen).map(Number);
  } catch {
    return [];
  }
}

/** The folder that was just read is not there any more. */
function isOpen(fd: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) !== '';
  } catch {
    return false;
  }
}

function isNonblocking(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0';
    return (Number.parseInt(flags, 8) & O_NONBLOCK) !== 0;
  } catch {
    return false;
  }
}
