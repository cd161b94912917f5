import type { Link, LinkQueue } from '../model/snapshot/index.js';
import type { FilesAnswer } from './native.js';

/** Files and links by path, as `readFiles` answers. */
export type Read = Pick<FilesAnswer, 'files' | 'links'>;

const PCI_FILES = ['numa_node', 'current_link_speed', 'max_link_speed', 'current_link_width', 'max_link_width', 'irq'];
const NET_FILES = ['ifindex', 'address', 'gro_flush_timeout', 'napi_defer_hard_irqs', 'threaded'];

/** The device, or the one below it: that of a virtio link is on the virtio bus, and the PCI function is its parent. */
const DEVICES = ['device', 'device/..'] as const;

/** What `addSysfs` and `interruptsOf` (link-interrupts.ts) look at. */
export function sysfsFiles(links: readonly Link[]): {
  files: string[];
  trees: string[];
  skip: string[];
  links: string[];
} {
  const each = (names: readonly string[]) => links.flatMap((link) => names.map((name) => sysfsPath(link, name)));
  const below = (names: readonly string[]) => DEVICES.flatMap((device) => names.map((name) => `${device}/${name}`));
  return {
    files: [...each([...NET_FILES, ...below(PCI_FILES)]), '/proc/interrupts'],
    trees: each(['queues', ...below(['msi_irqs'])]),
    skip: ['byte_queue_limits'],
    links: each(['device', ...below(['subsystem'])]),
  };
}

/** The link with what sysfs knows of it. A file that is not there leaves its field absent. */
export function addSysfs(link: Link, read: Read): Link {
  const device = pciDevice(link, read);
  const number = (name: string) => integer(read.files[sysfsPath(link, name)]);
  const threaded = number('threaded');
  const numaNode = number(`${device ?? 'device'}/numa_node`);
  const pcie = device === undefined ? {} : pciExpress(link, device, read);
  return {
    ...link,
    ...present('numaNode', numaNode !== undefined && numaNode >= 0 ? numaNode : undefined),
    ...present('pcie', Object.keys(pcie).length > 0 ? pcie : undefined),
    ...present('groFlushTimeoutNs', number('gro_flush_timeout')),
    ...present('napiDeferHardIrqs', number('napi_defer_hard_irqs')),
    ...present('threadedNapi', threaded === undefined ? undefined : threaded !== 0),
    ...present('rxQueueList', queues(link, 'rx', read)),
    ...present('txQueueList', queues(link, 'tx', read)),
  };
}

export function sysfsPath(link: Link, name: string): string {
  return `/sys/class/net/${link.name}/${name}`;
}

export function present<K extends string, T>(key: K, value: T | undefined): { [k in K]?: T } {
  return value === undefined ? {} : ({ [key]: value } as { [k in K]?: T });
}

export function integer(text: string | undefined): number | undefined {
  const trimmed = text?.trim() ?? '';
  return /^-?\d+$/.test(trimmed) ? Number(trimmed) : undefined;
}

/** Which of the two folders is the PCI function, if any. */
export function pciDevice(link: Link, read: Read): string | undefined {
  return DEVICES.find((device) => read.links[sysfsPath(link, `${device}/subsystem`)]?.endsWith('/bus/pci'));
}

/** The kernel writes "Unknown" and widths of 0 or 255 where the link does not tell. */
function pciExpress(link: Link, device: string, read: Read): NonNullable<Link['pcie']> {
  const text = (name: string) => read.files[sysfsPath(link, `${device}/${name}`)] ?? '';
  const speed = (name: string) => {
    const value = Number.parseFloat(text(name));
    return Number.isFinite(value) && value > 0 ? value : undefined;
  };
  const width = (name: string) => {
    const value = integer(text(name)) ?? 0;
    return value > 0 && value < 255 ? value : undefined;
  };
  return {
    ...present('speedGts', speed('current_link_speed')),
    ...present('maxSpeedGts', speed('max_link_speed')),
    ...present('width', width('current_link_width')),
    ...present('maxWidth', width('max_link_width')),
  };
}

function queues(link: Link, direction: 'rx' | 'tx', { files }: Read): LinkQueue[] | undefined {
  const prefix = sysfsPath(link, `queues/${direction}-`);
  const indices = new Set(
    Object.keys(files)
      .filter((file) => file.startsWith(prefix))
      .map((file) => Number.parseInt(file.slice(prefix.length), 10)),
  );
  if (indices.size === 0) return undefined;
  return [...indices]
    .sort((a, b) => a - b)
    .map((index) => ({
      index,
      ...present('cpus', cpuMask(files[`${prefix}${index}/${direction === 'rx' ? 'rps_cpus' : 'xps_cpus'}`])),
      ...present('flowCount', integer(files[`${prefix}${index}/rps_flow_cnt`])),
    }));
}

/** "00000000,0000000f" → "f": groups of 32 bits, the highest first. */
function cpuMask(text: string | undefined): string | undefined {
  return text
    ?.trim()
    .replaceAll(',', '')
    .replace(/^0+(?=.)/, '');
}
