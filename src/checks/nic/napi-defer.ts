import type { Evidence } from '../../model/results.js';
import type { Link } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { info, pass, warn } from '../findings.js';
import { busyPolling } from './busy-poll.js';
import { hostSysctl } from './host-sysctl.js';
import { nothingToJudge } from './nics.js';

export const napiDefer = defineCheck({
  id: 'napi-defer',
  title: 'Deferred interrupts (gro_flush_timeout, napi_defer_hard_irqs)',
  category: 'nic',
  scope: 'netns',
  priority: 25,
  page: {
    mechanism:
      'napi_defer_hard_irqs lets a queue go on for that many empty polls before its interrupt is armed again, and gro_flush_timeout is the timer that makes these polls. They belong together: without the timer deferring does nothing; without deferring the timer only keeps packets in GRO for longer. Together they keep interrupts off for programs that busy-poll.',
    reads:
      'napi_defer_hard_irqs and gro_flush_timeout in /sys/class/net/IFACE; net.core.busy_poll and busy_read; SO_BUSY_POLL of connections with traffic.',
    threshold:
      'info: napi_defer_hard_irqs without gro_flush_timeout (it does nothing); both set while nobody is seen to busy-poll (AF_XDP and io_uring are not seen). gro_flush_timeout alone: warn under --profile latency, else info. Zero for both, the default, passes.',
    why: 'Half of the pair does not do what it was set for, and the timer alone delays packets.',
    remedy: 'Set both for programs that busy-poll, none otherwise.',
    risk: 'Set without busy polling they delay packets by up to gro_flush_timeout.',
    undo: 'Write the former values.',
    needs: 'nothing',
    tune: { keys: ['/sys/class/net/*/gro_flush_timeout', '/sys/class/net/*/napi_defer_hard_irqs'] },
    sources: ['https://docs.kernel.org/networking/napi.html (Software IRQ coalescing, Busy polling)'],
  },
  judge({ net, snapshot, profile }: NetContext): Finding[] {
    const links = net.facts.links.filter(
      ({ up, napiDeferHardIrqs, groFlushTimeoutNs }) =>
        up && napiDeferHardIrqs !== undefined && groFlushTimeoutNs !== undefined,
    );
    if (links.length === 0)
      return [nothingToJudge(net, 'no link here shows gro_flush_timeout and napi_defer_hard_irqs')];
    const set = links.filter((link) => link.napiDeferHardIrqs || link.groFlushTimeoutNs);
    if (set.length === 0)
      return [pass(`interrupts are not deferred on ${links.length} links`, links.slice(0, 4).flatMap(evidenceOf))];
    const keys = ['net.core.busy_poll', 'net.core.busy_read'];
    const polling = keys.some((key) => (hostSysctl(snapshot, key) ?? 0) > 0) || busyPolling(net) > 0;
    return set.map((link) => judgeLink(link, polling, profile === 'latency'));
  },
});

function judgeLink(link: Link, polling: boolean, latency: boolean): Finding {
  const defer = link.napiDeferHardIrqs ?? 0;
  const timeoutUs = (link.groFlushTimeoutNs ?? 0) / 1000;
  const extra = { subject: { interface: link.name }, weight: timeoutUs };
  const evidence = evidenceOf(link);
  if (timeoutUs === 0)
    return info(
      `${link.name}: napi_defer_hard_irqs is ${defer} but gro_flush_timeout is 0, so it does nothing`,
      evidence,
      {
        ...extra,
        remedy: {
          summary: 'Give it its timer (20 µs is a start), or set it to 0',
          ...write(link, 'gro_flush_timeout', 0, 20_000),
        },
      },
    );
  const off = { summary: 'Turn the timer off', ...write(link, 'gro_flush_timeout', link.groFlushTimeoutNs ?? 0, 0) };
  if (defer === 0)
    return (latency ? warn : info)(
      `${link.name}: gro_flush_timeout alone keeps packets up to ${timeoutUs} µs in GRO`,
      evidence,
      { ...extra, remedy: off },
    );
  if (polling) return pass(`${link.name} defers interrupts for programs that busy-poll`, evidence, extra);
  return info(`${link.name} defers interrupts by up to ${timeoutUs} µs, and nobody is seen to busy-poll`, evidence, {
    ...extra,
    remedy: { ...off, summary: 'Set both to 0, unless a program polls by AF_XDP or io_uring' },
  });
}

const file = (link: Link, name: string) => `/sys/class/net/${link.name}/${name}`;

const write = (link: Link, name: string, from: number, to: number) => ({
  commands: [`echo ${to} > ${file(link, name)}`],
  tunes: [{ key: file(link, name), from: String(from), to: String(to) }],
  undo: `echo ${from} > ${file(link, name)}`,
});

const evidenceOf = (link: Link): Evidence[] => {
  const base = { scope: 'now' as const, subject: { interface: link.name } };
  return [
    {
      ...base,
      source: file(link, 'napi_defer_hard_irqs'),
      key: 'napi_defer_hard_irqs',
      value: link.napiDeferHardIrqs ?? 0,
      unit: '1',
    },
    {
      ...base,
      source: file(link, 'gro_flush_timeout'),
      key: 'gro_flush_timeout',
      value: link.groFlushTimeoutNs ?? 0,
      unit: 'ns',
    },
  ];
};
