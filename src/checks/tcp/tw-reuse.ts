import { defineCheck, type Finding } from '../check.js';
import { info, pass, unknown } from '../findings.js';
import { setSysctls } from '../remedies.js';
import { portRange } from './ports.js';

const KEY = 'net.ipv4.tcp_tw_reuse';
const TIMESTAMPS = 'net.ipv4.tcp_timestamps';
/** Half of the ports towards one destination taken: somebody needs the reuse. */
const NEED_PERCENT = 50;

export const twReuse = defineCheck({
  id: 'tw-reuse',
  title: 'Reuse of ports in TIME_WAIT',
  category: 'tcp',
  scope: 'netns',
  priority: 10,
  page: {
    mechanism:
      'net.ipv4.tcp_tw_reuse lets an outgoing connection take over a port whose last connection to the same destination is in TIME_WAIT for a second and more. It needs timestamps at both ends to tell old segments from new ones, and does nothing for incoming connections. 0 never, 1 always, 2 (the default since Linux 4.19) for loopback only.',
    reads: 'net.ipv4.tcp_tw_reuse and net.ipv4.tcp_timestamps; use of local ports by sock_diag.',
    threshold:
      'info: 1 while timestamps are off (no effect), or 1 while no destination has half of the local ports in use (no need seen).',
    why: 'The setting does not do what whoever made it hoped for.',
    remedy:
      'Set it to 2, the default, unless outgoing connections really run out of ports; for that it needs timestamps on.',
    risk: 'Where outgoing connections do run out of ports at other times, 2 brings that back: see ephemeral-ports.',
    undo: 'sysctl -w net.ipv4.tcp_tw_reuse=1',
    needs: 'new connections',
    tune: { keys: ['net.ipv4.tcp_tw_reuse'] },
    sources: ['https://docs.kernel.org/networking/ip-sysctl.html (tcp_tw_reuse)', 'tcp(7): tcp_tw_reuse'],
  },
  judge({ net, host }): Finding[] {
    const value = net.sysctlNumber(KEY);
    if (value === undefined) return [unknown(`${KEY} could not be read`)];
    const evidence = [net.sysctlEvidence(KEY), net.sysctlEvidence(TIMESTAMPS)];
    if (value !== 1) return [pass(value === 0 ? 'never' : 'for loopback only, the default', evidence)];
    const subject = { key: KEY };
    if (net.sysctlNumber(TIMESTAMPS) === 0)
      return [info(`${KEY}=1 has no effect: timestamps are off`, evidence, { subject })];
    const range = portRange(net);
    const most = net.last.sockets?.ports[0]?.inUse ?? 0;
    if (range === undefined || net.last.sockets === undefined) return [pass('always', evidence)];
    evidence.push({
      source: 'sock_diag',
      key: 'local ports in use towards one destination',
      value: most,
      unit: 'ports',
      scope: 'now',
    });
    if (100 * most >= NEED_PERCENT * range.size) return [pass('always, and ports are scarce', evidence)];
    return [
      info(
        `${KEY} is 1, but at most ${most} of ${range.size} local ports are in use towards one destination`,
        evidence,
        {
          subject,
          remedy: {
            summary: 'Unless ports run out at other times, go back to the default',
            ...setSysctls(net, { [KEY]: hasLoopbackMode(host.facts.kernel) ? 2 : 0 }),
          },
        },
      ),
    ];
  },
});

/** The value 2 came with Linux 4.19. */
function hasLoopbackMode(release: string): boolean {
  const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10));
  return major > 4 || (major === 4 && minor >= 19);
}
