import type { DeviceIrq, Link } from '../model/snapshot/index.js';
import { integer, pciDevice, present, type Read, sysfsPath } from './link-sysfs.js';

/** Interrupts by the name of their link. */
export type LinkInterrupts = Readonly<Record<string, readonly { irq: number; name: string }[]>>;

/**
 * Interrupts of each link: those of its PCI function (message-signalled, else the wired one); without a PCI function
 * (virtio-mmio, Xen, Hyper-V), those whose name begins with that of the link or of its device.
 */
export function interruptsOf(links: readonly Link[], read: Read): LinkInterrupts {
  const names = interruptNames(read.files['/proc/interrupts'] ?? '');
  const rows = links.map((link) => {
    const irqs = pciInterrupts(link, read) ?? namedInterrupts(link, names, read);
    return [link.name, irqs.map((irq) => ({ irq, name: names.get(irq) ?? '' }))] as const;
  });
  return Object.fromEntries(rows.filter(([, irqs]) => irqs.length > 0));
}

export function affinityFiles(interrupts: LinkInterrupts): string[] {
  const irqs = new Set(Object.values(interrupts).flatMap((rows) => rows.map((row) => row.irq)));
  return [...irqs].flatMap((irq) => [affinityFile(irq, 'smp'), affinityFile(irq, 'effective')]);
}

/** Vectors that were reserved and never asked for have no name and are left out. */
export function addInterrupts(link: Link, interrupts: LinkInterrupts, files: Read['files']): Link {
  const irqs = (interrupts[link.name] ?? [])
    .filter((row) => row.name !== '')
    .map(
      ({ irq, name }): DeviceIrq => ({
        irq,
        name,
        ...present('affinity', files[affinityFile(irq, 'smp')]?.trim()),
        ...present('effectiveAffinity', files[affinityFile(irq, 'effective')]?.trim()),
      }),
    );
  return irqs.length > 0 ? { ...link, irqs } : link;
}

/**
 * Names of numbered interrupts from /proc/interrupts: "24:  counts…  PCI-MSIX-0000:00:03.0  0-edge  eth0-TxRx-0". The
 * name stands last, after at least two spaces; shared interrupts have several ("a, b").
 */
export function interruptNames(text: string): Map<number, string> {
  const names = new Map<number, string>();
  for (const line of text.split('\n')) {
    const found = /^\s*(\d+):(?:\s+\d+)+\s+(\S.*?)\s*$/.exec(line);
    const [, ...parts] = found?.[2]?.split(/ {2,}/) ?? [];
    const name = parts.at(-1);
    if (found && name && !/^\S+-(edge|level|fasteoi)$/i.test(name)) names.set(Number(found[1]), name);
  }
  return names;
}

function affinityFile(irq: number, kind: 'smp' | 'effective'): string {
  return `/proc/irq/${irq}/${kind}_affinity_list`;
}

function pciInterrupts(link: Link, read: Read): number[] | undefined {
  const device = pciDevice(link, read);
  if (device === undefined) return undefined;
  const prefix = `${sysfsPath(link, device)}/msi_irqs/`;
  const signalled = Object.keys(read.files)
    .filter((file) => file.startsWith(prefix))
    .map((file) => Number(file.slice(prefix.length)));
  if (signalled.length > 0) return signalled.sort((a, b) => a - b);
  const wired = integer(read.files[sysfsPath(link, `${device}/irq`)]) ?? 0;
  return wired > 0 ? [wired] : [];
}

function namedInterrupts(link: Link, names: ReadonlyMap<number, string>, read: Read): number[] {
  const device = read.links[sysfsPath(link, 'device')]?.split('/').at(-1);
  const owners = [link.name, ...(device ? [device] : [])];
  const own = (name: string) => owners.some((owner) => name === owner || /^[-_@:.]/.test(belowOf(name, owner)));
  return [...names].filter(([, name]) => name.split(', ').some(own)).map(([irq]) => irq);
}

function belowOf(name: string, owner: string): string {
  return name.startsWith(owner) ? name.slice(owner.length) : '';
}
