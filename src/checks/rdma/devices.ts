import type { Evidence } from '../../model/results.js';
import type { Link, RdmaDevice, RdmaPort, Snapshot } from '../../model/snapshot/index.js';
import type { Finding, HostContext } from '../check.js';
import { notApplicable, unknown } from '../findings.js';

/** Judges each device; says so when there is none, or when RDMA was not read. */
export function eachDevice({ host }: HostContext, judge: (device: RdmaDevice) => Finding[]): Finding[] {
  const { rdma } = host.facts;
  if (!rdma) return [unknown('RDMA devices could not be read')];
  if (rdma.devices.length === 0) return [notApplicable('no RDMA device on this host')];
  return rdma.devices.flatMap(judge);
}

export const eachPort = (context: HostContext, judge: (device: RdmaDevice, port: RdmaPort) => Finding): Finding[] =>
  eachDevice(context, (device) => device.ports.map((port) => judge(device, port)));

/** Programs or kernel users hold contexts or connections on it; the queue pairs of the kernel itself do not count. */
export const inUse = ({ resources }: RdmaDevice): boolean => (resources?.ctx ?? 0) > 0 || (resources?.cm_id ?? 0) > 0;

export const subjectOf = (device: RdmaDevice, port?: RdmaPort) => ({
  subject: { device: device.name, ...(port?.interface ? { interface: port.interface } : {}) },
});

export const portFolder = (device: RdmaDevice, port: RdmaPort): string =>
  `/sys/class/infiniband/${device.name}/ports/${port.port}`;

export const nowRow = (source: string, key: string, value: string | number | boolean, unit = ''): Evidence => ({
  source,
  key,
  value,
  unit,
  scope: 'now',
});

/** The network device behind a port, wherever it lives. */
export function linkOf(snapshot: Snapshot, port: RdmaPort): Link | undefined {
  if (port.interface === undefined) return undefined;
  const namespaces = snapshot.netns.toSorted((a, b) => Number(b.initial ?? b.current) - Number(a.initial ?? a.current));
  return namespaces.flatMap(({ links }) => links).find(({ name }) => name === port.interface);
}

/** "mlx5_0 port 1" */
export const portName = (device: RdmaDevice, port: RdmaPort): string => `${device.name} port ${port.port}`;
