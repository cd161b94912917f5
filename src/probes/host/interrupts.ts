import type { FileProbe } from '../files.js';

const SOFTIRQS = '/proc/softirqs';
const INTERRUPTS = '/proc/interrupts';

export interface PerCpu {
  cpus: number[];
  counts: Record<string, number[]>;
}

/** NET_RX and NET_TX per CPU. */
export const softirqs: FileProbe<PerCpu> = {
  name: 'softirqs',
  wants: { files: [SOFTIRQS] },
  parse(found) {
    const { cpus, rows } = parseCpuTable(found.required(SOFTIRQS) ?? '');
    const counts = rows.filter((row) => row.name === 'NET_RX' || row.name === 'NET_TX');
    return { cpus, counts: Object.fromEntries(counts.map((row) => [row.name, row.counts])) };
  },
};

/** Which interrupts belong to network and RDMA devices: those of their PCI functions, and by name those of others. */
export interface NetworkIrqs {
  irqs: ReadonlySet<string>;
  /** Names of virtio devices and of interfaces, which drivers put at the beginning of an interrupt's name. */
  names: readonly string[];
}

const PCI = '/sys/bus/pci/devices';

/**
 * Devices of PCI class 02 (network, InfiniBand among them) whatever namespace their interface is in, and virtio and
 * platform devices by name.
 */
export const networkIrqs: FileProbe<NetworkIrqs> = {
  name: 'interrupts',
  wants: {
    fileGlobs: ['/sys/bus/pci/devices/*/class', '/sys/bus/pci/devices/*/irq'],
    pathGlobs: [
      '/sys/bus/pci/devices/*/msi_irqs/*',
      '/sys/bus/virtio/devices/*/net',
      '/sys/class/net/*',
      '/sys/class/net/*/device/msi_irqs/*',
      '/sys/class/infiniband/*/device/msi_irqs/*',
    ],
  },
  parse(found) {
    const isNetwork = (device: string | undefined) => found.text(`${PCI}/${device}/class`)?.startsWith('0x02') ?? false;
    const irqs = new Set<string>();
    for (const { match, text } of found.files(/^\/sys\/bus\/pci\/devices\/([^/]+)\/irq$/)) {
      if (isNetwork(match[1]) && text.trim() !== '0') irqs.add(text.trim());
    }
    for (const path of found.paths(/^\/sys\/bus\/pci\/devices\/([^/]+)\/msi_irqs\/(\d+)$/)) {
      if (isNetwork(path[1])) irqs.add(path[2] as string);
    }
    for (const path of found.paths(/^\/sys\/class\/[^/]+\/[^/]+\/device\/msi_irqs\/(\d+)$/))
      irqs.add(path[1] as string);
    const virtio = found.paths(/^\/sys\/bus\/virtio\/devices\/([^/]+)\/net$/).map((match) => match[1] as string);
    const interfaces = found.paths(/^\/sys\/class\/net\/([^/]+)$/).map((match) => match[1] as string);
    return { irqs, names: [...virtio, ...interfaces.filter((name) => name !== 'lo')] };
  },
};

export const interrupts: FileProbe<CpuTable> = {
  name: 'interrupts',
  wants: { files: [INTERRUPTS] },
  parse: (found) => parseCpuTable(found.required(INTERRUPTS) ?? '', /^\s*\d+:/),
};

export function onlyNetwork(table: CpuTable, network: NetworkIrqs): PerCpu {
  const wanted = table.rows.filter(
    (row) =>
      network.irqs.has(row.name) ||
      row.label
        .split(/[\s,]+/)
        .some((word) => network.names.some((name) => word === name || word.startsWith(`${name}-`))),
  );
  return { cpus: table.cpus, counts: Object.fromEntries(wanted.map((row) => [row.name, row.counts])) };
}

export interface CpuTable {
  cpus: number[];
  rows: { name: string; counts: number[]; label: string }[];
}

/** A table with a header of CPUs (the online ones, or all possible ones) and rows "NAME: count… what it is". */
export function parseCpuTable(text: string, wanted?: RegExp): CpuTable {
  const [header = '', ...lines] = text.split('\n');
  const cpus = [...header.matchAll(/CPU(\d+)/g)].map((match) => Number(match[1]));
  const rows = lines.flatMap((line) => {
    const colon = line.indexOf(':');
    if (colon < 0 || (wanted && !wanted.test(line))) return [];
    const words = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/);
    const counts = words.slice(0, cpus.length).map(Number);
    if (counts.length < cpus.length || counts.some(Number.isNaN)) return []; // "ERR: 0" is not per CPU
    return [{ name: line.slice(0, colon).trim(), counts, label: words.slice(cpus.length).join(' ') }];
  });
  return { cpus, rows };
}
