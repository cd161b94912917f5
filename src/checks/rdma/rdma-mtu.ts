import type { RdmaDevice, RdmaPort } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { info, notApplicable, pass, unknown, warn } from '../findings.js';
import { eachPort, linkOf, nowRow, portFolder, portName, subjectOf } from './devices.js';

/** What RoCE v2 puts around a payload at most, rounded up: IP and UDP headers, transport headers, checksum. */
const HEADERS = 104;

export const rdmaMtu = defineCheck({
  id: 'rdma-mtu',
  title: 'RDMA MTU',
  category: 'rdma',
  scope: 'host',
  priority: 22,
  page: {
    mechanism:
      'RDMA payloads come in sizes of 256, 512, 1024, 2048 or 4096 bytes. On Ethernet the active size is the largest whose packet, headers included, fits the MTU of the interface: 1024 for 1500, 4096 from about 4200 on.',
    reads: 'active_mtu and max_mtu of the port (verbs), MTU and its maximum of the network interface.',
    threshold:
      'info: active below the maximum (warn under --profile throughput). Whether the switches carry larger frames cannot be seen from here.',
    why: 'Each message needs up to four times as many packets as the card could send it in.',
    remedy: 'Raise the MTU of the interface, and of every hop and peer in the same segment.',
    risk: 'A hop that was forgotten drops large packets without a word: test with ping -M do -s.',
    undo: 'ip link set IFACE mtu FORMER',
    needs: 'new RDMA connections',
    sources: ['ibv_query_port(3)', 'ip-link(8)'],
  },
  judge: (context: HostContext) => eachPort(context, (device, port) => judgePort(context, device, port)),
});

function judgePort({ snapshot, profile }: HostContext, device: RdmaDevice, port: RdmaPort): Finding {
  const extra = subjectOf(device, port);
  const name = portName(device, port);
  const { activeMtu, maxMtu } = port;
  if (port.state !== 'ACTIVE') return notApplicable(`${name} is ${port.state}`, [], extra);
  if (/RNIC/i.test(device.nodeType ?? '') || device.driver === 'siw')
    return notApplicable(`${name} is iWARP: TCP decides on its segments`, [], extra);
  if (activeMtu === undefined || maxMtu === undefined)
    return unknown(`the MTU of ${name} could not be read (needs libibverbs and its device node)`, [], extra);
  const link = linkOf(snapshot, port);
  const evidence = [
    nowRow(portFolder(device, port), 'active_mtu', activeMtu, 'bytes'),
    nowRow(portFolder(device, port), 'max_mtu', maxMtu, 'bytes'),
    ...(link ? [nowRow('rtnetlink', `mtu of ${link.name}`, link.mtu, 'bytes')] : []),
  ];
  if (activeMtu >= maxMtu) return pass(`${name} sends ${activeMtu} bytes in a packet, its maximum`, evidence, extra);
  const wanted = maxMtu + HEADERS;
  const possible =
    link !== undefined &&
    link.mtu < wanted &&
    (link.maxMtu === undefined || link.maxMtu === 0 || link.maxMtu >= wanted);
  return (profile === 'throughput' ? warn : info)(
    `${name} sends ${activeMtu} bytes in a packet and could send ${maxMtu}${link ? `; the MTU of ${link.name} is ${link.mtu}` : ''}`,
    evidence,
    {
      ...extra,
      remedy: possible
        ? {
            summary: `Raise the MTU of ${link.name} to at least ${wanted}, where the network carries it`,
            commands: [`ip link set ${link.name} mtu ${wanted}`],
            undo: `ip link set ${link.name} mtu ${link.mtu}`,
          }
        : { summary: 'Raise the MTU of the fabric; on InfiniBand the subnet manager decides' },
    },
  );
}
