import type { Evidence } from '../../model/results.js';
import type { DescriptorUse, Process } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { fail, pass, unknown, warn } from '../findings.js';
import type { HostView } from '../view.js';
import { raiseLimit, usedBelowLimit } from './descriptors.js';
import { percent, round } from './numbers.js';
import { named, nothingToJudge, unitOf, unseen } from './subjects.js';

interface Use {
  process: Process;
  use: DescriptorUse & { softLimit: number };
  used: number;
  share: number;
}

export const fdLimit = defineCheck({
  id: 'fd-limit',
  title: 'Descriptor limits',
  category: 'descriptor',
  scope: 'host',
  priority: 90,
  thresholds: {
    warnPercent: { default: 80, unit: '%', description: 'Open descriptors of the soft limit' },
    failPercent: { default: 95, unit: '%', description: 'Open descriptors of the soft limit' },
    smallestLimit: {
      default: 64,
      unit: '1',
      description: 'Programs that lower their own limit below this do it on purpose (sandboxes) and are not judged',
    },
  },
  page: {
    mechanism:
      'A process may only have descriptors with numbers below its soft RLIMIT_NOFILE. At the limit accept(), socket(), open() and pipe() fail with EMFILE. A server then cannot take connections that the kernel has already completed: they pile up in the accept queue, and an event loop that is told again and again that the listener is readable spins.',
    reads: 'The entries of /proc/PID/fd and "Max open files" of /proc/PID/limits, for processes that hold sockets.',
    threshold:
      'warn: more than 80 % of the soft limit are open. fail: 95 % or more. Limits below 64 are left out: programs that lock themselves in (a sandbox) set them on purpose.',
    why: 'At the limit the program can neither accept nor open anything: clients wait in the accept queue and are then dropped.',
    remedy:
      'First see whether descriptors leak (fd-leak, close-wait-leak): then a higher limit only buys time. Otherwise raise it: prlimit for the running process, LimitNOFILE= of its unit for the next start.',
    risk: 'A program that uses select() must not get descriptors above 1023 (see fd-select). Each open descriptor costs kernel memory.',
    undo: 'prlimit --pid PID --nofile=SOFT:HARD with the former numbers; remove the LimitNOFILE= line.',
    needs: 'nothing for the running process (prlimit, as root); a restart for LimitNOFILE=',
    tune: { keys: ['limit:*:nofile'], options: '--limits' },
    sources: ['getrlimit(2): RLIMIT_NOFILE', 'accept(2): EMFILE', 'prlimit(1)', 'systemd.exec(5): LimitNOFILE='],
  },
  judge({ host, snapshot, threshold }: HostContext): Finding[] {
    const uses = host.processes.flatMap((pair) => useOf(pair.last, threshold('smallestLimit')));
    if (host.processes.length === 0) return nothingToJudge(snapshot, 'no process with sockets was found');
    if (uses.length === 0)
      return [
        unknown('no process showed both its descriptors and its limit (needs CAP_SYS_PTRACE for those of others)'),
      ];
    const findings = uses.flatMap((use) => {
      if (use.share >= threshold('failPercent')) return [report(host, use, fail)];
      return use.share > threshold('warnPercent') ? [report(host, use, warn)] : [];
    });
    return [...(findings.length > 0 ? findings : [healthy(host, uses)]), ...unseen(snapshot)];
  },
});

function useOf(process: Process, smallest: number): Use[] {
  const use = process.descriptors;
  if (use?.softLimit === undefined || use.softLimit < smallest) return [];
  const used = usedBelowLimit(use);
  return [{ process, use: { ...use, softLimit: use.softLimit }, used, share: (100 * used) / use.softLimit }];
}

function report(host: HostView, { process, use, used, share }: Use, say: typeof warn): Finding {
  const nrOpen = Number(host.facts.sysctls['fs.nr_open'] ?? Number.NaN);
  const raise = raiseLimit(process, use, Number.isNaN(nrOpen) ? undefined : nrOpen);
  const stuck = use.softLimit >= raise.wanted;
  const unit = unitOf(process);
  return say(
    `${named(process)} has ${used} of ${use.softLimit} descriptors open (${percent(share)}), ${use.sockets} of them sockets`,
    evidence(host, process, use, share),
    {
      subject: host.subject(process.pid),
      weight: share,
      remedy: stuck
        ? {
            summary: `Its limit is fs.nr_open already: raise that first (see nr-open), and see whether descriptors leak`,
          }
        : {
            summary: `See whether it leaks descriptors; if not, raise its limit to ${raise.wanted}${unit ? `, also in ${unit}` : ', also where it is started'}`,
            commands: raise.commands,
            tunes: raise.tunes,
            undo: raise.undo,
          },
    },
  );
}

function evidence(host: HostView, process: Process, use: DescriptorUse, share: number): Evidence[] {
  const subject = host.subject(process.pid);
  const row = (source: string, key: string, value: number | undefined, unit = '1'): Evidence[] =>
    value === undefined ? [] : [{ source, key, value, unit, scope: 'now', subject }];
  return [
    ...row(`/proc/${process.pid}/fd`, 'open', use.open),
    ...row(`/proc/${process.pid}/fd`, 'sockets', use.sockets),
    ...row(`/proc/${process.pid}/limits`, 'Max open files (soft)', use.softLimit),
    ...row(`/proc/${process.pid}/limits`, 'Max open files (hard)', use.hardLimit),
    ...row(`/proc/${process.pid}/fd`, 'share', round(share), '%'),
  ];
}

function healthy(host: HostView, uses: readonly Use[]): Finding {
  const worst = uses.toSorted((a, b) => b.share - a.share)[0] as Use;
  return pass(
    `of ${uses.length} processes the nearest to its limit is ${named(worst.process)}: ${worst.used} of ${worst.use.softLimit} (${percent(worst.share)})`,
    evidence(host, worst.process, worst.use, worst.share),
  );
}
