import { defineCheck } from '../check.js';
import { pass, unknown, warn } from '../findings.js';
import { setSysctls } from '../remedies.js';

const KEY = 'net.ipv4.tcp_timestamps';

export const timestamps = defineCheck({
  id: 'timestamps',
  title: 'TCP timestamps',
  category: 'tcp',
  scope: 'netns',
  priority: 40,
  page: {
    mechanism:
      'With the timestamp option (RFC 7323) each segment carries a clock. It gives a round-trip sample per ACK, lets old duplicates be told apart when sequence numbers wrap (PAWS), and is what tcp_tw_reuse rests on.',
    reads: 'net.ipv4.tcp_timestamps of the namespace.',
    threshold: 'warn: 0. This is harmful in itself, so no symptom is waited for.',
    why: 'Without timestamps round-trip estimates are coarser, PAWS is off, and tcp_tw_reuse has no effect.',
    remedy: 'Set it to 1, the kernel\'s default. "Turn timestamps off" is advice from kernels of long ago.',
    risk: 'Twelve bytes per segment. New connections only.',
    undo: 'sysctl -w net.ipv4.tcp_timestamps=0',
    needs: 'new connections',
    tune: { keys: ['net.ipv4.tcp_timestamps'] },
    sources: ['https://docs.kernel.org/networking/ip-sysctl.html (tcp_timestamps)', 'RFC 7323'],
  },
  judge({ net }) {
    const value = net.sysctlNumber(KEY);
    if (value === undefined) return [unknown(`${KEY} could not be read`)];
    if (value !== 0) return [pass('TCP timestamps are on', [net.sysctlEvidence(KEY)])];
    return [
      warn('TCP timestamps are off', [net.sysctlEvidence(KEY)], {
        subject: { key: KEY },
        remedy: { summary: 'Turn timestamps on', ...setSysctls(net, { [KEY]: 1 }) },
      }),
    ];
  },
});
