import type { Evidence, Remedy } from '../../model/results.js';
import type { Rdma, RdmaDevice, RdmaPort, RdmaStack } from '../../model/snapshot/index.js';
import { gidAddress, gidReach, isRoceV2, routableGid } from './gid.js';

/** Why, in one word that programs may rely on. */
export type VerdictReason =
  | 'able'
  | 'no-hardware'
  | 'no-driver'
  | 'no-device-nodes'
  | 'no-permission'
  | 'no-provider'
  | 'port-down'
  | 'no-roce-v2-gid'
  | 'link-local-only';

/** Can this NIC carry sockets over RDMA? One per device, or one for the host when it has none. */
export interface RdmaVerdict {
  able: boolean;
  reason: VerdictReason;
  /** One sentence, for people. */
  sentence: string;
  device?: string;
  interface?: string;
  evidence: Evidence[];
  /** What would change it, where this host can do something. */
  next?: Pick<Remedy, 'summary' | 'commands'>;
}

/** The whole reasoning, without I/O: `Rdma` in, verdicts out. */
export function rdmaVerdicts({ stack, devices }: Rdma): RdmaVerdict[] {
  if (devices.length === 0) return [withoutDevice(stack)];
  return devices.map((device) => {
    const blocked = stackVerdict(stack) ?? portVerdict(device);
    return { ...blocked, device: device.name, ...interfaceOf(device) };
  });
}

/** What stands between any device of this host and a program; undefined when nothing does. */
export const rdmaStackVerdict = ({ stack, devices }: Rdma): RdmaVerdict | undefined =>
  devices.length === 0 ? withoutDevice(stack) : stackVerdict(stack);

const interfaceOf = ({ ports }: RdmaDevice) => {
  const name = ports.find((port) => port.interface !== undefined)?.interface;
  return name === undefined ? {} : { interface: name };
};

const no = (
  reason: VerdictReason,
  sentence: string,
  evidence: Evidence[],
  next?: Pick<Remedy, 'summary' | 'commands'>,
): RdmaVerdict => ({ able: false, reason, sentence: `No: ${sentence}`, evidence, ...(next ? { next } : {}) });

const row = (source: string, key: string, value: string | number | boolean): Evidence => ({
  source,
  key,
  value,
  unit: '',
  scope: 'now',
});

/** Software RDMA over any Ethernet card: what this kernel has of it. */
export function softwareRdma(stack: RdmaStack): { words: string; usable?: 'rxe' | 'siw'; evidence: Evidence[] } {
  const full = { rxe: 'soft-RoCE (rxe)', siw: 'soft-iWARP (siw)' };
  const having = stack.softwareProviders.filter(({ available }) => available !== 'no');
  const evidence = stack.softwareProviders.map(({ name, available }) => row('kernel modules', name, available));
  const usable = having[0]?.name;
  if (usable === undefined && stack.softwareProviders.length < Object.keys(full).length)
    return { words: `whether this kernel has ${full.rxe} or ${full.siw} could not be read`, evidence };
  if (usable === undefined) return { words: `this kernel has neither ${full.rxe} nor ${full.siw}`, evidence };
  const words = having.map(
    ({ name, available }) => `${full[name]} ${available === 'loaded' ? 'is loaded' : 'can be loaded'}`,
  );
  return { words: `on this kernel ${words.join(' and ')}, over any Ethernet card`, usable, evidence };
}

/** No RDMA device: is there a card without its driver, or none at all? */
function withoutDevice(stack: RdmaStack): RdmaVerdict {
  const facts = [
    row('sysfs', '/sys/class/infiniband', stack.sysfsClass),
    row('netlink', 'NETLINK_RDMA', stack.netlink),
  ];
  const [card] = stack.capableHardware;
  if (card)
    return no(
      'no-driver',
      `the NIC at ${card.bus} can do RDMA (${card.vendor}:${card.device}), but its RDMA driver ${card.wants} is not loaded`,
      [...facts, row(`/sys/bus/pci/devices/${card.bus}`, 'driver', card.driver ?? 'none')],
      { summary: `Load ${card.wants}`, commands: [`modprobe ${card.wants}`] },
    );
  const software = softwareRdma(stack);
  return no(
    'no-hardware',
    `there is no RDMA NIC on this host, and ${software.words}`.replace('and on this kernel', 'but on this kernel'),
    [...facts, row('/sys/bus/pci/devices', 'RDMA-capable NICs', 0), ...software.evidence],
    software.usable && {
      summary:
        'For a trial, make a software device on an Ethernet interface (slower than TCP, but the same programs run)',
      commands: [
        `modprobe ${software.usable === 'rxe' ? 'rdma_rxe' : 'siw'}`,
        `rdma link add ${software.usable}0 type ${software.usable} netdev IFACE`,
      ],
    },
  );
}

/** Between the device and a program: what holds for every device of the host. */
function stackVerdict(stack: RdmaStack): RdmaVerdict | undefined {
  const nodes = stack.deviceNodes.filter((name) => name.startsWith('uverbs'));
  const found = row('/dev/infiniband', 'device nodes', stack.deviceNodes.join(' ') || 'none');
  if (nodes.length === 0)
    return no(
      'no-device-nodes',
      'the device is there, but there is no /dev/infiniband/uverbs* for programs to open (ib_uverbs is not loaded, or this container was not given the nodes)',
      [found],
      {
        summary: 'Load ib_uverbs on the host, or pass /dev/infiniband into the container',
        commands: ['modprobe ib_uverbs'],
      },
    );
  if (stack.deviceNodesReadable === false)
    return no(
      'no-permission',
      'this user may not open /dev/infiniband/uverbs*',
      [found, row('/dev/infiniband', 'may be opened', false)],
      {
        summary: 'Give the user access to the nodes: a udev rule with a group, or the rule of rdma-core (mode 0666)',
        commands: ['ls -l /dev/infiniband'],
      },
    );
  const provider = row('libibverbs', 'devices with a provider', stack.verbsDevices ?? 'unknown');
  if (stack.verbsLibrary === undefined || stack.verbsDevices === 0)
    return no(
      'no-provider',
      stack.verbsLibrary === undefined
        ? `there is no libibverbs for programs to use${stack.verbsError ? ` (${stack.verbsError})` : ''}`
        : 'libibverbs has no user-space provider for the device',
      [found, provider],
      {
        summary: 'Install libibverbs with its providers',
        commands: ['apt install libibverbs1 ibverbs-providers  # or: dnf install libibverbs'],
      },
    );
  return undefined;
}

/** The ports of one device: the best of them decides. */
function portVerdict(device: RdmaDevice): RdmaVerdict {
  const active = device.ports.filter(({ state }) => state === 'ACTIVE');
  const [first] = device.ports;
  if (active.length === 0)
    return no(
      'port-down',
      `port ${first?.port ?? 1} of ${device.name} is ${first?.state ?? 'not there'}${first?.physicalState ? ` (${first.physicalState})` : ''}`,
      device.ports.map((port) => row(`/sys/class/infiniband/${device.name}/ports/${port.port}`, 'state', port.state)),
      first?.interface
        ? {
            summary: `Bring ${first.interface} up; check cable and switch`,
            commands: [`ip link set ${first.interface} up`],
          }
        : { summary: 'Check cable and switch; InfiniBand needs a subnet manager', commands: [] },
    );
  const able = active.find((port) => isInfiniBand(port) || isIwarp(device) || routableGid(port));
  if (able) return ableBy(device, able);
  return withoutGid(device, active[0] as RdmaPort);
}

const isInfiniBand = ({ linkLayer }: RdmaPort) => linkLayer === 'InfiniBand';
/** iWARP addresses by TCP, not by GID (node type "4: RNIC"). */
const isIwarp = ({ nodeType, driver }: RdmaDevice) => /RNIC/i.test(nodeType ?? '') || driver === 'siw';

function ableBy(device: RdmaDevice, port: RdmaPort): RdmaVerdict {
  const gid = routableGid(port);
  const rate = port.rateGbps === undefined ? '' : ` at ${port.rateGbps} Gbit/s`;
  const how = isInfiniBand(port)
    ? 'InfiniBand'
    : isIwarp(device)
      ? 'iWARP'
      : `RoCE v2 by ${gid ? gidAddress(gid.gid) : ''}`;
  const soft = device.driver === 'rxe' || device.driver === 'siw' || /^(rxe|siw)/.test(device.name);
  return {
    able: true,
    reason: 'able',
    sentence: `Yes: ${device.name} can carry sockets over ${how}${rate}${soft ? ' (in software: it proves function, not speed)' : ''}`,
    evidence: portEvidence(device, port),
  };
}

function withoutGid(device: RdmaDevice, port: RdmaPort): RdmaVerdict {
  const name = port.interface ?? 'its interface';
  const v2 = port.gids.filter(isRoceV2);
  const evidence = portEvidence(device, port);
  const next = {
    summary: `Give ${name} an IPv4 or a routable IPv6 address: its RoCE v2 GID follows`,
    commands: port.interface ? [`ip address add ADDRESS/LENGTH dev ${port.interface}`] : [],
  };
  if (v2.some(({ gid }) => gidReach(gid) === 'link-local'))
    return no(
      'link-local-only',
      `the RoCE v2 GIDs of ${device.name} are link-local only, which fails across subnets`,
      evidence,
      next,
    );
  return no('no-roce-v2-gid', `${device.name} has no RoCE v2 GID with a routable address`, evidence, next);
}

function portEvidence(device: RdmaDevice, port: RdmaPort): Evidence[] {
  const folder = `/sys/class/infiniband/${device.name}/ports/${port.port}`;
  return [
    row(folder, 'state', port.state),
    ...(port.linkLayer ? [row(folder, 'link_layer', port.linkLayer)] : []),
    ...port.gids
      .slice(0, 8)
      .map(({ index, gid, type }) => row(`${folder}/gids/${index}`, type ?? 'unknown type', gidAddress(gid))),
  ];
}
