import type { NetContext } from '../../checks/check.js';
import { limitText, raiseLimit, usedBelowLimit } from '../../checks/host/descriptors.js';
import { judgedListeners } from '../../checks/tcp/sockets.js';
import type { Suggestion } from '../tunable.js';
import { seen } from './seen.js';

/** What a shell or an old unit gives. */
const SMALL = 1024;

/** For many connections: servers that were left at the small limit, though their hard limit allows more. */
export function limitsOfListeners(context: NetContext): Suggestion[] {
  const { net, host, profile } = context;
  if (profile !== 'connections') return [];
  const serving = new Set(judgedListeners(context)?.flatMap(({ owners }) => owners.map(({ pid }) => pid)));
  const nrOpen = Number(host.facts.sysctls['fs.nr_open'] ?? Number.POSITIVE_INFINITY);
  return net.processes.flatMap(({ last: process }) => {
    const use = process.descriptors;
    if (use?.softLimit === undefined || use.softLimit > SMALL || !serving.has(process.pid)) return [];
    if (use.hardLimit !== undefined && use.hardLimit <= use.softLimit) return [];
    const { pid, comm } = process;
    const subject = { pid, comm };
    return [
      {
        key: `limit:${pid}:nofile`,
        to: limitText(raiseLimit(process, use, nrOpen).wanted, use.hardLimit),
        reason: `${comm} (pid ${pid}) listens, and accept() fails beyond ${use.softLimit} descriptors; ${usedBelowLimit(use)} are open`,
        evidence: [
          { ...seen(`/proc/${pid}/fd`, 'open', use.open, '1'), subject },
          { ...seen(`/proc/${pid}/limits`, 'Max open files (soft)', use.softLimit, '1'), subject },
        ],
      },
    ];
  });
}
