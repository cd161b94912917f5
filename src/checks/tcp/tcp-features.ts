import { defineCheck, type Finding } from '../check.js';
import { pass, unknown, warn } from '../findings.js';
import { setSysctls } from '../remedies.js';

/** What is lost without each. */
const FEATURES: Readonly<Record<string, string>> = {
  'net.ipv4.tcp_window_scaling':
    'no window above 64 KiB: at 50 ms of round trip no connection is faster than 10 Mbit/s',
  'net.ipv4.tcp_sack': 'after a loss the sender does not know what arrived, and sends much of it again',
  'net.ipv4.tcp_moderate_rcvbuf': 'receive buffers stay at their initial size, whatever the path could carry',
};
const KEYS = Object.keys(FEATURES);

export const tcpFeatures = defineCheck({
  id: 'tcp-features',
  title: 'Window scaling, SACK and receive autotuning',
  category: 'tcp',
  scope: 'netns',
  priority: 46,
  page: {
    mechanism:
      'Window scaling (RFC 7323) lets windows exceed 64 KiB, SACK (RFC 2018) tells a sender what is missing, and receive autotuning grows the receive buffer with the path. All three are on by default, and TCP on any path but the shortest needs them.',
    reads: 'net.ipv4.tcp_window_scaling, tcp_sack and tcp_moderate_rcvbuf of the namespace.',
    threshold: 'warn: one is 0. This is harmful in itself, so no symptom is waited for.',
    why: 'Throughput over anything but a local path is a fraction of what it could be.',
    remedy:
      'Set it to 1, the default. If SACK was turned off against CVE-2019-11477: kernels since June 2019 are mended.',
    risk: 'None. New connections only.',
    undo: 'Set the key to 0 again.',
    needs: 'new connections',
    tune: { keys: ['net.ipv4.tcp_window_scaling', 'net.ipv4.tcp_sack', 'net.ipv4.tcp_moderate_rcvbuf'] },
    sources: [
      'https://docs.kernel.org/networking/ip-sysctl.html (tcp_window_scaling, tcp_sack, tcp_moderate_rcvbuf)',
      'RFC 7323',
      'RFC 2018',
    ],
  },
  judge({ net }): Finding[] {
    const known = KEYS.filter((key) => net.sysctlNumber(key) !== undefined);
    const missing = KEYS.filter((key) => !known.includes(key));
    if (known.length === 0) return [unknown(`${KEYS.join(', ')} could not be read`)];
    const off = known.filter((key) => net.sysctlNumber(key) === 0);
    if (off.length > 0)
      return off.map((key) =>
        warn(`${key} is 0: ${FEATURES[key]}`, [net.sysctlEvidence(key)], {
          subject: { key },
          remedy: { summary: `Set ${key} to 1`, ...setSysctls(net, { [key]: 1 }) },
        }),
      );
    if (missing.length > 0) return [unknown(`${missing.join(', ')} could not be read; the others are on`)];
    return [
      pass(
        'window scaling, SACK and receive autotuning are on',
        known.map((key) => net.sysctlEvidence(key)),
      ),
    ];
  },
});
