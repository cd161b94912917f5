import type { Process } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { info, pass, unknown, warn } from '../findings.js';
import { type HostView, sysctlEvidence } from '../view.js';
import { usedBelowLimit } from './descriptors.js';
import { percent, powerOfTwo } from './numbers.js';
import { named } from './subjects.js';

const KEY = 'fs.nr_open';

export const nrOpen = defineCheck({
  id: 'nr-open',
  title: 'Ceiling of descriptor limits',
  category: 'descriptor',
  scope: 'host',
  priority: 40,
  thresholds: { percent: { default: 80, unit: '%', description: 'Open descriptors of fs.nr_open' } },
  page: {
    mechanism:
      'fs.nr_open is the ceiling of RLIMIT_NOFILE: setting a limit above it fails with EPERM, even for root, and "infinity" in a unit means this number. A limit above it, left from before it was lowered, promises descriptors that the kernel does not give.',
    reads: 'fs.nr_open; the open descriptors and RLIMIT_NOFILE of processes that hold sockets.',
    threshold:
      'warn: a process has more than 80 % of fs.nr_open open, so that its limit cannot be raised further. info: the limit of a process is above fs.nr_open.',
    why: 'A higher LimitNOFILE= will not take effect before this is raised: the unit fails to start, or the limit stays where it is.',
    remedy: 'Raise fs.nr_open first, then the limit of the process; fs.file-max must allow it too.',
    risk: 'A runaway process can use more kernel memory.',
    undo: `sysctl -w ${KEY}=<the former value>`,
    needs: 'nothing; then raise the limit (prlimit), or restart the program',
    tune: { keys: ['fs.nr_open'] },
    sources: ['https://docs.kernel.org/admin-guide/sysctl/fs.html#nr-open', 'getrlimit(2): EPERM'],
  },
  judge({ host, threshold }: HostContext): Finding[] {
    const text = host.facts.sysctls[KEY];
    if (text === undefined) return [unknown(`${KEY} could not be read`)];
    const ceiling = Number(text);
    const findings = host.processes.flatMap(({ last }) => judgeProcess(host, last, ceiling, threshold('percent')));
    if (findings.length > 0) return findings;
    return [pass(`${KEY} is ${ceiling}: no process is near it`, [sysctlEvidence(KEY, text)])];
  },
});

function judgeProcess(host: HostView, process: Process, ceiling: number, limitPercent: number): Finding[] {
  const use = process.descriptors;
  if (!use) return [];
  const share = (100 * usedBelowLimit({ ...use, softLimit: ceiling })) / ceiling;
  const beyond = Math.max(use.softLimit ?? 0, use.hardLimit ?? 0) > ceiling;
  if (share <= limitPercent && !beyond) return [];
  const say = share > limitPercent ? warn : info;
  const summary =
    share > limitPercent
      ? `${named(process)} has ${use.open} descriptors open, ${percent(share)} of ${KEY} = ${ceiling}: its limit cannot be raised further`
      : `${named(process)} has a limit of ${use.softLimit} (hard ${use.hardLimit}), but ${KEY} is ${ceiling}: it will get no more than that`;
  const wanted = powerOfTwo(Math.max(2 * ceiling, use.softLimit ?? 0));
  return [
    say(
      summary,
      [
        sysctlEvidence(KEY, String(ceiling)),
        { source: `/proc/${process.pid}/fd`, key: 'open', value: use.open, unit: '1', scope: 'now' },
        ...limits(process),
      ],
      {
        subject: { ...host.subject(process.pid), key: KEY },
        weight: share,
        remedy: {
          summary: `Raise ${KEY} to ${wanted}, then the limit of the process`,
          commands: [`sysctl -w ${KEY}=${wanted}`],
          tunes: [{ key: KEY, from: String(ceiling), to: String(wanted) }],
          undo: `sysctl -w ${KEY}=${ceiling}`,
        },
      },
    ),
  ];
}

function limits(process: Process) {
  const source = `/proc/${process.pid}/limits`;
  const { softLimit, hardLimit } = process.descriptors ?? {};
  return [
    ...(softLimit === undefined ? [] : [{ source, key: 'Max open files (soft)', value: softLimit, unit: '1' }]),
    ...(hardLimit === undefined ? [] : [{ source, key: 'Max open files (hard)', value: hardLimit, unit: '1' }]),
  ];
}
