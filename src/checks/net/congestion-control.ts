import type { SysctlAssignment } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { pass, unknown, warn } from '../findings.js';
import { type SysctlTool, winner } from '../sysctl-winner.js';

const KEY = 'net.ipv4.tcp_congestion_control';

export const congestionControl = defineCheck({
  id: 'congestion-control',
  title: 'Congestion control asked for and available',
  category: 'tcp',
  scope: 'netns',
  priority: 45,
  page: {
    mechanism:
      'Setting net.ipv4.tcp_congestion_control to an algorithm that the kernel neither has nor can load fails with "No such file or directory"; at boot that is one line in a log, and the host goes on with its default. The same holds for a route with "congctl".',
    reads:
      'net.ipv4.tcp_congestion_control; available and loadable algorithms of the kernel; the line that sets the key in the sysctl.d files (initial namespace); "congctl" of the routes.',
    threshold: 'warn: an algorithm that a file or a route asks for is not among the available ones.',
    why: 'The host runs with another congestion control than its owner believes.',
    remedy:
      'Load its module now and at boot, before sysctl.d is applied; or, when this kernel has no such module, ask for one that it has.',
    risk: 'Another algorithm shares bottlenecks differently; new connections only.',
    undo: `sysctl -w ${KEY}=<former value>`,
    needs: 'new connections',
    sources: [
      'https://docs.kernel.org/networking/ip-sysctl.html (tcp_congestion_control, tcp_available_congestion_control)',
      'ip-route(8) (congctl), modules-load.d(5)',
    ],
  },
  judge(context: NetContext): Finding[] {
    const { net, host } = context;
    const live = net.sysctl(KEY);
    if (live === undefined) return [unknown(`${KEY} could not be read`)];
    const known = host.facts.congestionControls;
    const available = new Set([...(known?.available ?? []), live]);
    if (!known)
      return [unknown('which congestion controls the kernel has could not be read', [net.sysctlEvidence(KEY)])];
    const evidence = [
      net.sysctlEvidence(KEY),
      {
        source: '/proc/sys/net/ipv4/tcp_available_congestion_control',
        key: 'available',
        value: known.available.join(' '),
        unit: '',
        scope: 'now' as const,
      },
    ];
    const bad = [...fromFiles(context, available), ...fromRoutes(context, available)];
    if (bad.length === 0) return [pass(`new connections use ${live}`, evidence)];
    return bad.map((ask) =>
      warn(
        `${ask.where} asks for ${ask.algorithm}, which is not available; new connections use ${live}`,
        [...evidence, { source: ask.where, key: KEY, value: ask.algorithm, unit: '' }],
        {
          subject: { key: KEY, ...(ask.line ? { file: ask.line.file } : {}) },
          remedy: remedyFor(ask, live, known.loadable),
        },
      ),
    );
  },
});

interface Ask {
  algorithm: string;
  where: string;
  line?: SysctlAssignment;
}

/** Files speak for the initial namespace only. */
function fromFiles({ net, host }: NetContext, available: ReadonlySet<string>): Ask[] {
  const files = host.facts.sysctlFiles;
  if (!files || net.facts.initial !== true) return [];
  const tools: SysctlTool[] = ['systemd', 'procps'];
  const lines = new Set(tools.flatMap((tool) => winner(files, tool, KEY) ?? []));
  return [...lines].flatMap((line) => {
    const algorithm = line.value?.trim() ?? '';
    return algorithm === '' || available.has(algorithm)
      ? []
      : [{ algorithm, where: `${line.file}:${line.line}`, line }];
  });
}

function fromRoutes({ net }: NetContext, available: ReadonlySet<string>): Ask[] {
  return net.facts.routes.flatMap((route) =>
    route.congestionControl === undefined || available.has(route.congestionControl)
      ? []
      : [{ algorithm: route.congestionControl, where: `route ${route.destination}` }],
  );
}

function remedyFor({ algorithm, line }: Ask, live: string, loadable: readonly string[]) {
  const module = `tcp_${algorithm}`;
  if (loadable.includes(algorithm) || loadable.includes(module))
    return {
      summary: `Load ${module} now and at boot, then set it`,
      commands: [
        `modprobe ${module}`,
        `echo ${module} > /etc/modules-load.d/${module}.conf`,
        `sysctl -w ${KEY}=${algorithm}`,
      ],
      undo: `sysctl -w ${KEY}=${live}; rm /etc/modules-load.d/${module}.conf`,
    };
  return {
    summary: `This kernel has no ${algorithm}: correct ${line ? `${line.file} line ${line.line}` : 'the route'}, or use a kernel with CONFIG_TCP_CONG_${algorithm.toUpperCase()}`,
    risk: 'None: the line has no effect now.',
    undo: 'Put the line back.',
    needs: 'nothing',
  };
}
