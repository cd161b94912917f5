import { defineCheck, type HostContext } from '../check.js';
import { info, pass, warn } from '../findings.js';
import { eachPort, inUse, nowRow, portFolder, portName, subjectOf } from './devices.js';

export const rdmaPort = defineCheck({
  id: 'rdma-port',
  title: 'RDMA port state',
  category: 'rdma',
  scope: 'host',
  priority: 40,
  page: {
    mechanism:
      'A port carries traffic only in the state ACTIVE: its link is up and, on InfiniBand, a subnet manager has configured it. On Ethernet it follows the network interface.',
    reads: 'state, phys_state, link_layer and rate below /sys/class/infiniband/DEVICE/ports/N.',
    threshold: 'pass: ACTIVE. warn: not ACTIVE while programs hold the device. info: not ACTIVE and not used.',
    why: 'Nothing goes over a port that is not ACTIVE; connections over it end after their retries.',
    remedy:
      'Ethernet: bring the interface up, check cable and switch port. InfiniBand: see that a subnet manager runs.',
    risk: 'None.',
    undo: 'ip link set IFACE down',
    needs: 'nothing',
    sources: ['Documentation/ABI/stable/sysfs-class-infiniband (kernel)', 'rdma-link(8)'],
  },
  judge: (context: HostContext) =>
    eachPort(context, (device, port) => {
      const folder = portFolder(device, port);
      const evidence = [
        nowRow(folder, 'state', port.state),
        ...(port.physicalState ? [nowRow(folder, 'phys_state', port.physicalState)] : []),
        ...(port.linkLayer ? [nowRow(folder, 'link_layer', port.linkLayer)] : []),
        ...(port.rate ? [nowRow(folder, 'rate', port.rate)] : []),
        ...(device.resources?.ctx === undefined
          ? []
          : [nowRow('RDMA netlink', 'user contexts', device.resources.ctx, '1')]),
      ];
      const extra = subjectOf(device, port);
      const name = portName(device, port);
      if (port.state === 'ACTIVE')
        return pass(
          `${name} is ACTIVE${port.linkLayer ? ` on ${port.linkLayer}` : ''}${port.rate ? `, ${port.rate}` : ''}`,
          evidence,
          extra,
        );
      const state = `${port.state}${port.physicalState ? ` (${port.physicalState})` : ''}`;
      const remedy = {
        summary: port.interface
          ? `Bring ${port.interface} up and check its cable`
          : 'Check the cable, and that a subnet manager runs',
        commands: port.interface ? [`ip link set ${port.interface} up`] : [],
        ...(port.interface ? { undo: `ip link set ${port.interface} down` } : {}),
      };
      return inUse(device)
        ? warn(`${name} is ${state} while programs hold the device`, evidence, { ...extra, remedy })
        : info(`${name} is ${state}`, evidence, { ...extra, remedy });
    }),
});
