import { defineCheck, type Finding, type HostContext } from '../check.js';
import { info, notApplicable, pass, unknown } from '../findings.js';
import { rdmaVerdicts } from './verdict.js';

export const rdmaMemlock = defineCheck({
  id: 'rdma-memlock',
  title: 'Locked memory for RDMA',
  category: 'rdma',
  scope: 'host',
  priority: 24,
  thresholds: {
    bytesPerConnection: {
      default: 2 * 256 * 1024,
      unit: 'bytes',
      description: 'Memory that one connection registers: a ring for each direction.',
    },
  },
  page: {
    mechanism:
      'Memory that a card reads and writes must stay where it is, so registering it pins it, and what is pinned counts against RLIMIT_MEMLOCK of the process unless it has CAP_IPC_LOCK. The limit is that of the unit or container that the process runs in, not that of a login shell.',
    reads: 'Max locked memory in /proc/PID/limits and the established TCP connections of each process.',
    threshold:
      'Judged where an RDMA device is able (rdma-verdict). info: connections × 512 KiB (two rings of 256 KiB; threshold bytesPerConnection) exceed RLIMIT_MEMLOCK. Processes of root are taken to have CAP_IPC_LOCK.',
    why: 'Moving the connections of this process to RDMA would fail at the limit.',
    remedy: 'LimitMEMLOCK= in the unit, --ulimit memlock= for the container, then restart it.',
    risk: 'Pinned memory cannot be swapped or moved.',
    undo: 'Remove the line and restart.',
    needs: 'restart of the application',
    sources: [
      'https://docs.kernel.org/infiniband/user_verbs.html (Memory pinning)',
      'getrlimit(2): RLIMIT_MEMLOCK',
      'systemd.exec(5): LimitMEMLOCK=',
    ],
  },
  judge({ host, threshold }: HostContext): Finding[] {
    const { rdma } = host.facts;
    if (!rdma) return [unknown('RDMA devices could not be read')];
    if (!rdmaVerdicts(rdma).some(({ able }) => able)) return [notApplicable('no RDMA device here can carry sockets')];
    const perConnection = threshold('bytesPerConnection');
    const findings = host.processes.flatMap(({ last: process }): Finding[] => {
      const connections = process.tcp.established ?? 0;
      const limit = process.memlockBytes;
      const wanted = connections * perConnection;
      if (process.uid === 0 || process.memlockUnlimited || limit === undefined || wanted <= limit) return [];
      return [
        info(
          `${process.comm} (pid ${process.pid}) may lock ${limit} bytes; its ${connections} connections would need ${wanted}`,
          [
            {
              source: `/proc/${process.pid}/limits`,
              key: 'Max locked memory',
              value: limit,
              unit: 'bytes',
              scope: 'now',
            },
            { source: 'sock_diag', key: 'established', value: connections, unit: 'connections', scope: 'now' },
          ],
          {
            subject: host.subject(process.pid),
            weight: wanted - limit,
            remedy: {
              summary: `Raise RLIMIT_MEMLOCK for ${process.comm} to ${wanted} bytes or more`,
              commands: [`prlimit --pid ${process.pid} --memlock=${wanted}:${wanted}`],
              undo: `prlimit --pid ${process.pid} --memlock=${limit}:`,
              needs: 'nothing for this process; LimitMEMLOCK= in its unit to keep it',
            },
          },
        ),
      ];
    });
    return findings.length > 0 ? findings : [pass('processes may lock enough memory for their connections')];
  },
});
