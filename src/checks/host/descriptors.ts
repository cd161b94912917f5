import type { DescriptorUse, Process } from '../../model/snapshot/index.js';
import { powerOfTwo } from './numbers.js';
import { unitOf } from './subjects.js';

/**
 * Descriptors that count against the soft limit: a new descriptor must get a number below it. Numbers above it are
 * left from a time when the limit was higher; at most highest + 1 - limit of them are open.
 */
export function usedBelowLimit({ open, highest, softLimit }: DescriptorUse): number {
  if (softLimit === undefined) return open;
  return Math.max(0, open - Math.max(0, highest + 1 - softLimit));
}

/**
 * A roomy soft limit for a process: the hard limit where that is four times what it holds, since raising the soft one
 * needs no privilege; else four times what it holds, and 65536 at least. Never below what it has.
 */
export function roomyLimit({ open, softLimit = 0, hardLimit = Number.POSITIVE_INFINITY }: DescriptorUse): number {
  const wanted = Math.max(65_536, powerOfTwo(4 * open), softLimit);
  return hardLimit >= Math.max(4 * open, softLimit) ? Math.min(wanted, hardLimit) : wanted;
}

/** How a limit is raised for a running process and for the next start: commands, and how to take them back. */
export function raiseLimit(process: Process, use: DescriptorUse, nrOpen: number | undefined) {
  const wanted = Math.min(roomyLimit(use), nrOpen ?? Number.POSITIVE_INFINITY);
  const hard = use.hardLimit;
  const withinHard = hard === undefined || wanted <= hard;
  const unit = unitOf(process);
  const now = withinHard ? `${wanted}:` : `${wanted}:${wanted}`;
  const before = withinHard ? `${use.softLimit}:` : `${use.softLimit}:${hard}`;
  return {
    wanted,
    commands: [
      `prlimit --pid ${process.pid} --nofile=${now}`,
      ...(unit
        ? [
            `mkdir -p /etc/systemd/system/${unit}.d && printf '[Service]\\nLimitNOFILE=${wanted}\\n' > /etc/systemd/system/${unit}.d/50-nofile.conf && systemctl daemon-reload`,
          ]
        : []),
    ],
    tunes: [
      {
        key: `limit:${process.pid}:nofile`,
        from: limitText(use.softLimit, hard),
        to: limitText(wanted, withinHard ? hard : wanted),
      },
    ],
    undo: `prlimit --pid ${process.pid} --nofile=${before}${unit ? ` ; rm /etc/systemd/system/${unit}.d/50-nofile.conf && systemctl daemon-reload` : ''}`,
  };
}

/** As `tune` writes a limit; an absent one is unlimited. */
export const limitText = (soft: number | undefined, hard: number | undefined): string =>
  `${soft ?? 'unlimited'}:${hard ?? 'unlimited'}`;
