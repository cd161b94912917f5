import { describe, expect, test } from 'vitest';
import { capableHardware } from '../../../../src/probes/rdma/capable-hardware.js';
import { softwareProviderFiles, softwareProviders } from '../../../../src/probes/rdma/software-providers.js';

const pci = (bus: string, vendor: string, device: string) => ({
  [`/sys/bus/pci/devices/${bus}/vendor`]: `0x${vendor}\n`,
  [`/sys/bus/pci/devices/${bus}/device`]: `0x${device}\n`,
});

const wants = (vendor: string, device: string) =>
  capableHardware({ files: pci('0000:01:00.0', vendor, device), links: {} })[0]?.wants;

describe('PCI functions', () => {
  test.each([
    ['15b3', '1017', 'mlx5_ib'],
    ['15b3', '101d', 'mlx5_ib'],
    ['15b3', 'a2dc', 'mlx5_ib'],
    ['15b3', '1003', 'mlx4_ib'],
    ['14e4', '16d7', 'bnxt_re'],
    ['14e4', '1750', 'bnxt_re'],
    ['8086', '1592', 'irdma'],
    ['8086', '37d0', 'irdma'],
    ['1077', '8070', 'qedr'],
    ['1425', '6407', 'iw_cxgb4'],
    ['1d0f', 'efa2', 'efa'],
    ['1ded', '107f', 'erdma'],
    ['19e5', 'a222', 'hns_roce_hw_v2'],
    ['1414', '00ba', 'mana_ib'],
  ])('%s:%s wants %s', (vendor, device, module) => expect(wants(vendor, device)).toBe(module));

  test.each([
    ['8086', '1572', 'X710 has no RDMA'],
    ['8086', '10fb', '82599'],
    ['14e4', '16c9', 'NetXtreme-C'],
    ['1af4', '1041', 'virtio'],
    ['1d0f', 'ec20', 'ENA'],
    ['1425', '6507', 'storage function of a T6'],
  ])('%s:%s is none (%s)', (vendor, device) => expect(wants(vendor, device)).toBeUndefined());

  test('come with the driver that is bound, in the order of their addresses', () => {
    const files = { ...pci('0000:41:00.0', '15b3', '1017'), ...pci('0000:01:00.0', '8086', '1593') };
    const links = { '/sys/bus/pci/devices/0000:41:00.0/driver': '../../../../bus/pci/drivers/mlx5_core' };
    expect(capableHardware({ files, links })).toEqual([
      { bus: '0000:01:00.0', vendor: '8086', device: '1593', wants: 'irdma' },
      { bus: '0000:41:00.0', vendor: '15b3', device: '1017', wants: 'mlx5_ib', driver: 'mlx5_core' },
    ]);
  });
});

describe('software providers', () => {
  const [modules = '', dep = '', builtin = ''] = softwareProviderFiles('6.1.0');
  const found = (files: Record<string, string>) => softwareProviders({ files }, '6.1.0');

  test('loaded, or a module on disk', () => {
    const files = {
      [modules]: 'rdma_rxe 196608 0 - Live 0x0000000000000000\nib_core 425984 1 rdma_rxe, Live 0x0\n',
      [dep]: 'kernel/drivers/infiniband/sw/siw/siw.ko.xz: kernel/drivers/infiniband/core/ib_core.ko.xz\n',
    };
    expect(found(files)).toEqual({
      providers: [
        { name: 'rxe', available: 'loaded' },
        { name: 'siw', available: 'module' },
      ],
      gaps: [],
    });
  });

  test('built in', () => {
    const files = { [builtin]: 'kernel/drivers/infiniband/sw/rxe/rdma_rxe.ko\n', [dep]: '' };
    expect(found(files).providers[0]).toEqual({ name: 'rxe', available: 'loaded' });
  });

  test('a kernel without modules has none, whatever lies on disk', () => {
    const files = { [dep]: 'kernel/drivers/infiniband/sw/siw/siw.ko: \n' };
    expect(found(files).providers).toEqual([
      { name: 'rxe', available: 'no' },
      { name: 'siw', available: 'no' },
    ]);
  });

  test('a kernel with modules whose list is not here leaves it open', () => {
    const { providers, gaps } = found({ [modules]: 'ext4 1 1 - Live 0x0\n' });
    expect(providers).toEqual([]);
    expect(gaps).toMatchObject([{ probe: 'rdma', what: '/lib/modules/6.1.0/modules.dep' }]);
  });
});
