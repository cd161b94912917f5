import type { RdmaStack } from '../../model/snapshot/index.js';
import type { FilesAnswer } from '../native.js';

type Capable = RdmaStack['capableHardware'][number];

interface Family {
  vendor: string;
  /** Device ids, four hexadecimal digits; as the PCI tables of the kernel's drivers list them. */
  devices: RegExp;
  /** The module that makes RDMA devices of them. */
  wants: string;
}

/** Families whose network (or fabric) functions do RDMA. Functions of the same vendors that cannot are left out. */
const FAMILIES: readonly Family[] = [
  // drivers/net/ethernet/mellanox/mlx4/main.c
  { vendor: '15b3', devices: /^(63[45]|673|636|675|637|676|674)[0-9a-f]$|^100[2-4]$|^1007$/, wants: 'mlx4_ib' },
  // drivers/net/ethernet/mellanox/mlx5/core/main.c
  { vendor: '15b3', devices: /^101[1-9a-f]$|^102[1357]$|^a2d[236cf]$/, wants: 'mlx5_ib' },
  // drivers/net/ethernet/broadcom/bnxt/bnxt.c: NetXtreme-E; the C series has no RoCE
  {
    vendor: '14e4',
    devices: /^160[45]$|^1614$|^16c0$|^16cc$|^16d[0124-9e]$|^16e[237-9a-f]$|^16f1$|^175[0-2]$|^176[0-3]$|^180[0-5]$/,
    wants: 'bnxt_re',
  },
  // drivers/net/ethernet/intel/ice/ice_devids.h: E810, E822, E823
  { vendor: '8086', devices: /^159[1239ab]$|^124[c-f]$|^151d$|^188[a-e]$|^189[0-9a]$/, wants: 'irdma' },
  // drivers/net/ethernet/intel/i40e/i40e_devids.h: X722
  { vendor: '8086', devices: /^37c[ef]$|^37d[0-3]$/, wants: 'irdma' },
  // drivers/infiniband/hw/hfi1
  { vendor: '8086', devices: /^24f[01]$/, wants: 'hfi1' },
  // drivers/net/ethernet/qlogic/qede/qede_main.c: physical functions
  { vendor: '1077', devices: /^16(34|36|44|54|56|66)$|^8070$/, wants: 'qedr' },
  // drivers/net/ethernet/chelsio/cxgb4/t4_pci_id_tbl.h: T4 to T6, function 4
  { vendor: '1425', devices: /^[456]4[0-9a-f]{2}$/, wants: 'iw_cxgb4' },
  // drivers/infiniband/hw/efa/efa_main.c
  { vendor: '1d0f', devices: /^efa[0-3]$/, wants: 'efa' },
  // drivers/infiniband/hw/erdma/erdma_main.c
  { vendor: '1ded', devices: /^107f$/, wants: 'erdma' },
  // drivers/net/ethernet/hisilicon/hns3/hnae3.h: those with RDMA in their names
  { vendor: '19e5', devices: /^a22[2-68]$/, wants: 'hns_roce_hw_v2' },
  // include/net/mana/gdma.h
  { vendor: '1414', devices: /^00ba$/, wants: 'mana_ib' },
  // drivers/infiniband/hw/vmw_pvrdma
  { vendor: '15ad', devices: /^0820$/, wants: 'vmw_pvrdma' },
];

const FOLDER = '/sys/bus/pci/devices';

export const pciGlobs = {
  fileGlobs: [`${FOLDER}/*/vendor`, `${FOLDER}/*/device`],
  linkGlobs: [`${FOLDER}/*/driver`],
} as const;

/** PCI functions that do RDMA, by address. */
export function capableHardware({ files, links }: Pick<FilesAnswer, 'files' | 'links'>): Capable[] {
  return Object.keys(files)
    .filter((file) => file.startsWith(`${FOLDER}/`) && file.endsWith('/vendor'))
    .map((file) => file.slice(FOLDER.length + 1, -'/vendor'.length))
    .sort()
    .flatMap((bus): Capable[] => {
      const vendor = hexadecimal(files[`${FOLDER}/${bus}/vendor`]);
      const device = hexadecimal(files[`${FOLDER}/${bus}/device`]);
      const family = FAMILIES.find((one) => one.vendor === vendor && one.devices.test(device));
      const driver = links[`${FOLDER}/${bus}/driver`]?.split('/').at(-1);
      if (!family) return [];
      return [{ bus, vendor, device, wants: family.wants, ...(driver ? { driver } : {}) }];
    });
}

/** "0x15b3\n" → "15b3" */
function hexadecimal(text: string | undefined): string {
  return (text ?? '').trim().replace(/^0x/, '').toLowerCase();
}
