import { release } from 'node:os';
import type { Gap } from '../model/gap.js';
import type { Rdma, RdmaDevice, RdmaPort, RdmaPortCounters, RdmaStack } from '../model/snapshot/index.js';
import { type RdmaAnswer, readFiles, readRdma, type VerbsDevice } from './native.js';
import { capableHardware, pciGlobs } from './rdma/capable-hardware.js';
import { softwareProviderFiles, softwareProviders } from './rdma/software-providers.js';
import { counterGlobs, deviceGlobs, devicesOf, gidFiles, portCountersOf } from './rdma/sysfs.js';

const CLASS = '/sys/class/infiniband';
const NODES = '/dev/infiniband';

/**
 * Whether this host can do RDMA and with what: devices from sysfs, RDMA netlink and libibverbs; without a device, what
 * is missing. Looking changes nothing: no module is loaded by it.
 */
export async function collectRdma(): Promise<{ rdma: Rdma; gaps: Gap[] }> {
  const [files, native] = await Promise.all([
    readFiles({
      files: softwareProviderFiles(release()),
      fileGlobs: [...deviceGlobs.fileGlobs, ...pciGlobs.fileGlobs],
      linkGlobs: [...deviceGlobs.linkGlobs, ...pciGlobs.linkGlobs],
      pathGlobs: [CLASS, `${NODES}/*`],
    }),
    readRdma(),
  ]);
  const gids = await readFiles({ files: gidFiles(files) });
  const sysfs = devicesOf({ files: { ...files.files, ...gids.files }, links: files.links });
  const devices = sysfs.map((device) => withNative(device, native));
  const software = softwareProviders(files, release());
  return {
    rdma: {
      stack: {
        sysfsClass: files.paths.includes(CLASS),
        netlink: native.netlink,
        ...deviceNodes(files.paths, native),
        ...verbsFacts(native, devices.length),
        capableHardware: capableHardware(files),
        softwareProviders: software.providers,
      },
      devices,
    },
    gaps: [...files.gaps, ...native.gaps, ...software.gaps, ...verbsGaps(native)],
  };
}

/** The counters of all ports as they are now; empty without a device. */
export async function collectRdmaCounters(): Promise<{ rdmaCounters: RdmaPortCounters[]; gaps: Gap[] }> {
  const { files, gaps } = await readFiles({ fileGlobs: [...counterGlobs] });
  return { rdmaCounters: portCountersOf({ files }), gaps };
}

function withNative(device: RdmaDevice, { devices, verbs }: RdmaAnswer): RdmaDevice {
  const netlink = devices.find((one) => one.name === device.name);
  const opened = verbs.devices?.find((one) => one.name === device.name);
  const driver = device.driver ?? netlink?.driver;
  return {
    ...device,
    ...(driver ? { driver } : {}),
    ports: device.ports.map((port) => withPort(port, netlink, opened)),
    ...(netlink?.resources ? { resources: netlink.resources } : {}),
    ...(opened?.maxima ? { maxima: opened.maxima } : {}),
  };
}

function withPort(port: RdmaPort, netlink: RdmaAnswer['devices'][number] | undefined, opened?: VerbsDevice): RdmaPort {
  const name = netlink?.ports.find((one) => one.port === port.port)?.interface ?? port.interface;
  const mtu = opened?.ports?.find((one) => one.port === port.port);
  return {
    ...port,
    ...(name ? { interface: name } : {}),
    ...(mtu ? { activeMtu: mtu.activeMtu, maxMtu: mtu.maxMtu } : {}),
  };
}

function deviceNodes(
  paths: readonly string[],
  { verbs }: RdmaAnswer,
): Pick<RdmaStack, 'deviceNodes' | 'deviceNodesReadable'> {
  const names = paths.filter((path) => path.startsWith(`${NODES}/`)).map((path) => path.slice(NODES.length + 1));
  // Only opening tells: the nodes may be denied by a device cgroup whatever their mode says.
  const denied = verbs.devices?.some((device) => device.errno === 'EACCES' || device.errno === 'EPERM');
  const opened = verbs.devices?.some((device) => device.maxima !== undefined);
  return {
    deviceNodes: names.filter((name) => name !== 'by-ibdev' && name !== 'by-path').sort(),
    ...(denied ? { deviceNodesReadable: false } : opened ? { deviceNodesReadable: true } : {}),
  };
}

function verbsFacts(
  { verbs }: RdmaAnswer,
  devices: number,
): Pick<RdmaStack, 'verbsLibrary' | 'verbsDevices' | 'verbsError'> {
  const failed = verbs.devices?.find((device) => device.error !== undefined);
  const error = verbs.error ?? (failed ? `${failed.name}: ${failed.error}` : undefined);
  const found = devices === 0 ? 0 : verbs.devices?.length;
  return {
    ...(verbs.library ? { verbsLibrary: verbs.library } : {}),
    ...(verbs.library && found !== undefined ? { verbsDevices: found } : {}),
    ...(error ? { verbsError: error } : {}),
  };
}

function verbsGaps({ verbs }: RdmaAnswer): Gap[] {
  return (verbs.devices ?? [])
    .filter((device) => device.error !== undefined)
    .map((device) => ({
      probe: 'rdma',
      what: `maxima of ${device.name}`,
      reason: device.error ?? '',
      ...(device.errno === 'EACCES' || device.errno === 'EPERM' ? { needs: `write permission on ${NODES}` } : {}),
    }));
}
