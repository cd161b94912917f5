import type { Evidence } from '../../model/results.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { fail, pass, unknown, warn } from '../findings.js';
import { percent, powerOfTwo, round } from './numbers.js';

const KEY = 'fs.file-max';

export const fileMax = defineCheck({
  id: 'file-max',
  title: 'Open files of the host',
  category: 'descriptor',
  scope: 'host',
  priority: 85,
  thresholds: {
    warnPercent: { default: 90, unit: '%', description: 'Allocated file handles of fs.file-max' },
    failPercent: { default: 95, unit: '%', description: 'Allocated file handles of fs.file-max' },
  },
  page: {
    mechanism:
      'Every open file, socket and pipe of the host is a file handle of the kernel, and fs.file-max is the most it hands out. Beyond it every open(), socket() and accept() of programs without CAP_SYS_ADMIN fails with ENFILE.',
    reads: '/proc/sys/fs/file-nr (allocated, unused, maximum).',
    threshold: 'warn: more than 90 % are allocated. fail: 95 % or more.',
    why: 'At the limit all programs of the host that are not privileged fail to open anything at once.',
    remedy: 'Find the process that holds most (see fd-limit, fd-leak); raise fs.file-max if the use is right.',
    risk: 'Each file handle takes kernel memory, a few hundred bytes and more for a socket.',
    undo: `sysctl -w ${KEY}=<the former value>`,
    needs: 'nothing',
    tune: { keys: ['fs.file-max'] },
    sources: ['https://docs.kernel.org/admin-guide/sysctl/fs.html#file-max-file-nr', 'accept(2): ENFILE'],
  },
  judge({ host, threshold }: HostContext): Finding[] {
    const files = host.last.files;
    if (!files) return [unknown('/proc/sys/fs/file-nr could not be read')];
    const share = (100 * files.allocated) / files.max;
    const text = `${files.allocated} of ${files.max} file handles are allocated (${percent(share)})`;
    const evidence = rows(files.allocated, files.max, share);
    if (share <= threshold('warnPercent')) return [pass(text, evidence)];
    const say = share >= threshold('failPercent') ? fail : warn;
    const wanted = powerOfTwo(2 * files.max);
    return [
      say(text, evidence, {
        subject: { key: KEY },
        weight: share,
        remedy: {
          summary: `Find the process that holds most; raise ${KEY} from ${files.max} to ${wanted} if the use is right`,
          commands: [`sysctl -w ${KEY}=${wanted}`],
          tunes: [{ key: KEY, from: String(files.max), to: String(wanted) }],
          undo: `sysctl -w ${KEY}=${files.max}`,
        },
      }),
    ];
  },
});

const rows = (allocated: number, max: number, share: number): Evidence[] => [
  { source: '/proc/sys/fs/file-nr', key: 'allocated', value: allocated, unit: '1', scope: 'now' },
  { source: '/proc/sys/fs/file-nr', key: 'maximum', value: max, unit: '1', scope: 'now' },
  { source: '/proc/sys/fs/file-nr', key: 'share', value: round(share, 2), unit: '%', scope: 'now' },
];
