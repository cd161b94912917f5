import type { Evidence } from '../../model/results.js';
import type { Link } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { info, pass } from '../findings.js';
import { linksOf, nothingToJudge } from './nics.js';

/** yes: usable now; off: the card has it, turned off; no; absent: could not be read. */
type State = 'yes' | 'off' | 'no' | undefined;

interface Capability {
  name: string;
  source: string;
  state(link: Link): State;
  /** How to turn it on. */
  command?(link: Link): string;
}

const byFeature =
  (name: string) =>
  (link: Link): State => {
    const feature = link.features?.[name];
    if (!feature) return link.features ? 'no' : undefined;
    if (feature.on) return 'yes';
    return feature.changeable ? 'off' : 'no';
  };

const byXdp =
  (name: string) =>
  (link: Link): State =>
    link.xdp === undefined ? undefined : link.xdp.features.includes(name) ? 'yes' : 'no';

const CAPABILITIES: Capability[] = [
  { name: 'native XDP', source: 'netdev netlink (xdp-features)', state: byXdp('basic') },
  { name: 'zero-copy AF_XDP', source: 'netdev netlink (xdp-features)', state: byXdp('xsk-zerocopy') },
  {
    name: 'hardware timestamps',
    source: 'ethtool netlink (tsinfo)',
    state: ({ timestamping: t }) =>
      t === undefined ? undefined : t.hardwareReceive && t.hardwareTransmit ? 'yes' : 'no',
  },
  {
    name: 'kTLS transmit offload',
    source: 'ethtool netlink (features)',
    state: byFeature('tls-hw-tx-offload'),
    command: ({ name }) => `ethtool -K ${name} tls-hw-tx-offload on`,
  },
  {
    name: 'kTLS receive offload',
    source: 'ethtool netlink (features)',
    state: byFeature('tls-hw-rx-offload'),
    command: ({ name }) => `ethtool -K ${name} tls-hw-rx-offload on`,
  },
  {
    name: 'header split (zero-copy receive)',
    source: 'ethtool netlink (rings)',
    state: ({ rings }) => (rings?.dataSplit === undefined ? undefined : rings.dataSplit ? 'yes' : 'off'),
    command: ({ name }) => `ethtool -G ${name} tcp-data-split on`,
  },
];

export const nicCapabilities = defineCheck({
  id: 'nic-capabilities',
  title: 'What the NIC can do for sockets',
  category: 'nic',
  scope: 'netns',
  priority: 5,
  page: {
    mechanism:
      'Some cards take work off the stack for programs that ask: XDP runs a program before the stack and AF_XDP gives packets to user space, with zero-copy straight from the ring; hardware timestamps come from the clock of the card; kTLS offload encrypts in the card; header split puts payload into buffers of its own, which receiving without a copy needs.',
    reads:
      'xdp-features (netdev netlink), features, timestamping and rings (ethtool netlink) of each network device of its own.',
    threshold: 'Never more than info: something that the card has and that is turned off.',
    why: 'Says what a program on this host could use, and what it need not try.',
    remedy: 'Turn on what a program needs.',
    risk: 'Offloads of the card are only as good as its firmware: try them first.',
    undo: 'Turn it off in the same way.',
    needs: 'a program that uses it',
    sources: [
      'https://docs.kernel.org/networking/af_xdp.html',
      'https://docs.kernel.org/networking/timestamping.html',
      'https://docs.kernel.org/networking/tls-offload.html',
      'https://docs.kernel.org/networking/iou-zcrx.html',
    ],
  },
  judge({ net }: NetContext): Finding[] {
    const nics = linksOf(net);
    if (nics.length === 0) return [nothingToJudge(net)];
    return nics.map(({ link }) => judgeLink(link));
  },
});

function judgeLink(link: Link): Finding {
  const states = CAPABILITIES.map((capability) => ({ capability, state: capability.state(link) }));
  const named = (wanted: State) =>
    states.filter(({ state }) => state === wanted).map(({ capability }) => capability.name);
  const words = [
    ...(named('yes').length > 0 ? [`has ${named('yes').join(', ')}`] : []),
    ...(named('off').length > 0 ? [`has, turned off: ${named('off').join(', ')}`] : []),
    ...(named('no').length > 0 ? [`does not have ${named('no').join(', ')}`] : []),
    ...(named(undefined).length > 0 ? [`does not tell: ${named(undefined).join(', ')}`] : []),
  ].join('; ');
  const evidence: Evidence[] = states.map(({ capability, state }) => ({
    source: capability.source,
    key: capability.name,
    value: state ?? 'not shown',
    unit: '',
    scope: 'now',
    subject: { interface: link.name },
  }));
  const summary = `${link.name} (${link.driver ?? 'unknown driver'}) ${words}`;
  const subject = { interface: link.name };
  const commands = states.flatMap(({ capability, state }) =>
    state === 'off' && capability.command ? [capability.command(link)] : [],
  );
  if (commands.length === 0) return pass(summary, evidence, { subject });
  return info(summary, evidence, {
    subject,
    remedy: {
      summary: 'Turn on what a program of this host can use',
      commands,
      undo: commands.map((command) => command.replace(/ on$/, ' off')).join('; '),
    },
  });
}
