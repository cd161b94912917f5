import type { FileProbe } from '../files.js';

const DMI = ['sys_vendor', 'product_name', 'board_vendor', 'bios_vendor'].map((file) => `/sys/class/dmi/id/${file}`);
const XEN = '/sys/hypervisor/type';
const DEVICE_TREE = '/proc/device-tree/hypervisor/compatible';

/** Signatures of CPUID leaf 0x40000000. */
const SIGNATURES: Readonly<Record<string, string>> = {
  KVMKVMKVM: 'kvm',
  'Linux KVM Hv': 'kvm',
  TCGTCGTCGTCG: 'qemu',
  VMwareVMware: 'vmware',
  'Microsoft Hv': 'microsoft',
  XenVMMXenVMM: 'xen',
  VBoxVBoxVBox: 'oracle',
  'bhyve bhyve ': 'bhyve',
  ' prl hyperv ': 'parallels',
  ACRNACRNACRN: 'acrn',
  SRESRESRESRE: 'sre',
};

/** What firmware says where there is no CPUID. */
const VENDORS: readonly [RegExp, string][] = [
  [/KVM|OpenStack|KubeVirt|Google Compute Engine/, 'kvm'],
  [/QEMU/, 'qemu'],
  [/VMware/, 'vmware'],
  [/Xen/, 'xen'],
  [/Parallels/, 'parallels'],
  [/Microsoft Corporation\nVirtual Machine/, 'microsoft'],
  [/Apple Virtualization/, 'apple'],
];

/** The hypervisor below us; undefined on bare metal. `signature` is CPUID's: "" says that there is none. */
export function virtualizationProbe(signature: string | undefined): FileProbe<string | undefined> {
  return {
    name: 'virtualization',
    wants: { files: [...DMI, XEN, DEVICE_TREE] },
    parse(found) {
      if (found.line(XEN) === 'xen') return 'xen'; // paravirtual guests hide CPUID's
      if (signature === '') return undefined;
      if (signature !== undefined) return SIGNATURES[signature] ?? signature.trim();
      const firmware = DMI.map((path) => found.line(path) ?? '').join('\n');
      const named = VENDORS.find(([pattern]) => pattern.test(firmware))?.[1];
      return named ?? (found.text(DEVICE_TREE)?.includes('kvm') ? 'kvm' : undefined);
    },
  };
}
