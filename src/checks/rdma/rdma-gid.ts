import type { RdmaDevice, RdmaPort } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { info, notApplicable, pass, warn } from '../findings.js';
import { eachPort, inUse, nowRow, portFolder, portName, subjectOf } from './devices.js';
import { gidAddress, gidReach, isRoceV2, routableGid } from './gid.js';

export const rdmaGid = defineCheck({
  id: 'rdma-gid',
  title: 'RoCE v2 addresses',
  category: 'rdma',
  scope: 'host',
  priority: 38,
  page: {
    mechanism:
      'On Ethernet a queue pair is addressed by a GID, an IPv6 address that the kernel makes from the addresses of the interface: an IPv4 address appears as ::ffff:a.b.c.d. RoCE v2 entries travel in UDP over IP and can be routed; RoCE v1 entries and link-local addresses stay within one segment.',
    reads: 'gids and gid_attrs/types below /sys/class/infiniband/DEVICE/ports/N.',
    threshold:
      'pass: at least one RoCE v2 GID that is an IPv4-mapped or a routable IPv6 address. Otherwise warn while programs hold the device, else info. Not judged for InfiniBand and iWARP.',
    why: 'Peers in another subnet cannot be reached; programs that take a GID by its index may take a dead one.',
    remedy:
      'Give the interface an address. Let programs choose the GID by address: the index changes with the addresses.',
    risk: 'None beyond that of an address.',
    undo: 'ip address delete ADDRESS/LENGTH dev IFACE',
    needs: 'new RDMA connections',
    sources: ['Documentation/ABI/testing/sysfs-class-infiniband (kernel)', 'rdma_cm(7)'],
  },
  judge: (context: HostContext) => eachPort(context, judgePort),
});

function judgePort(device: RdmaDevice, port: RdmaPort): Finding {
  const extra = subjectOf(device, port);
  const name = portName(device, port);
  if (port.linkLayer !== undefined && port.linkLayer !== 'Ethernet')
    return notApplicable(`${name} is ${port.linkLayer}`, [], extra);
  if (/RNIC/i.test(device.nodeType ?? '') || device.driver === 'siw')
    return notApplicable(`${name} is iWARP, which has no use for GIDs`, [], extra);
  const evidence = port.gids
    .slice(0, 16)
    .map(({ index, gid, type }) =>
      nowRow(`${portFolder(device, port)}/gids/${index}`, type ?? 'unknown type', gidAddress(gid)),
    );
  const usable = routableGid(port);
  if (usable) return pass(`${name} can be reached by RoCE v2 at ${gidAddress(usable.gid)}`, evidence, extra);
  const v2 = port.gids.filter(isRoceV2);
  const what = v2.some(({ gid }) => gidReach(gid) === 'link-local')
    ? 'has link-local RoCE v2 GIDs only, which fail across subnets'
    : v2.length > 0
      ? 'has no RoCE v2 GID that a router knows'
      : 'has no RoCE v2 GID';
  const remedy = {
    summary: `Give ${port.interface ?? 'its interface'} an IPv4 or a routable IPv6 address`,
    commands: port.interface ? [`ip address add ADDRESS/LENGTH dev ${port.interface}`] : [],
  };
  return (inUse(device) ? warn : info)(`${name} ${what}`, evidence, { ...extra, remedy });
}
