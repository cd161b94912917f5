import { defineCheck, type Finding } from '../check.js';
import { pass, unknown, warn } from '../findings.js';
import { setSysctls } from '../remedies.js';

const KEY = 'net.ipv4.tcp_abort_on_overflow';
const OVERFLOWS = 'TcpExtListenOverflows';

export const abortOnOverflow = defineCheck({
  id: 'abort-on-overflow',
  title: 'Resets instead of patience when the accept queue is full',
  category: 'tcp',
  scope: 'netns',
  priority: 60,
  page: {
    mechanism:
      'By default a client that meets a full accept queue is not told: its handshake is tried again, and succeeds once the program has accepted a few. With net.ipv4.tcp_abort_on_overflow=1 it gets a reset at once, so that every short burst becomes an error at the clients.',
    reads: 'net.ipv4.tcp_abort_on_overflow of the namespace; TcpExtListenOverflows beside it.',
    threshold: 'warn: 1. This is harmful in itself, so no symptom is waited for.',
    why: 'A burst that would cost a client a second costs it the connection instead.',
    remedy:
      'Set it to 0, the kernel\'s default. The kernel\'s own text: "Enable this option only if you are really sure that listening daemon cannot be tuned to accept connections faster."',
    risk: 'Clients of a program that is stuck for good wait for their timeout instead of an immediate error.',
    undo: 'sysctl -w net.ipv4.tcp_abort_on_overflow=1',
    needs: 'nothing',
    tune: { keys: ['net.ipv4.tcp_abort_on_overflow'] },
    sources: ['https://docs.kernel.org/networking/ip-sysctl.html (tcp_abort_on_overflow)'],
  },
  judge({ net }): Finding[] {
    const value = net.sysctlNumber(KEY);
    if (value === undefined) return [unknown(`${KEY} could not be read`)];
    if (value === 0) return [pass('a full accept queue makes clients try again', [net.sysctlEvidence(KEY)])];
    const overflows = net.delta(OVERFLOWS) ?? 0;
    return [
      warn(
        `clients that meet a full accept queue are reset${overflows > 0 ? `, ${overflows} overflows within the window` : ''}`,
        [net.sysctlEvidence(KEY), ...net.evidence(OVERFLOWS)],
        {
          subject: { key: KEY },
          weight: overflows,
          remedy: { summary: 'Let clients try again', ...setSysctls(net, { [KEY]: 0 }) },
        },
      ),
    ];
  },
});
