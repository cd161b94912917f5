import { expect, test } from 'vitest';
import { nicCapabilities } from '../../../../src/checks/nic/nic-capabilities.js';
import { judgeOne } from '../../../support/judge.js';
import { linkOf, vethOf } from '../../../support/links.js';

const full = linkOf({
  xdp: { features: ['basic', 'redirect', 'ndo-xmit', 'xsk-zerocopy'] },
  timestamping: { hardwareTransmit: true, hardwareReceive: true, clockIndex: 0 },
  features: {
    'tls-hw-tx-offload': { on: false, changeable: true },
    'tls-hw-rx-offload': { on: false, changeable: false },
  },
  rings: { dataSplit: true },
});

test('says what the card has, what is off and what it lacks, never more than info', () => {
  expect(judgeOne(nicCapabilities, { net: { links: [full] } })).toMatchObject([
    {
      status: 'info',
      summary:
        'eth0 (mlx5_core) has native XDP, zero-copy AF_XDP, hardware timestamps, header split (zero-copy receive); has, turned off: kTLS transmit offload; does not have kTLS receive offload',
      remedy: {
        commands: ['ethtool -K eth0 tls-hw-tx-offload on'],
        undo: 'ethtool -K eth0 tls-hw-tx-offload off',
      },
    },
  ]);
});

test('what was not read is not denied', () => {
  const [result] = judgeOne(nicCapabilities, { net: { links: [linkOf({ xdp: { features: [] } })] } });
  expect(result).toMatchObject({ status: 'pass' });
  expect(result?.summary).toBe(
    'eth0 (mlx5_core) does not have native XDP, zero-copy AF_XDP; does not tell: hardware timestamps, kTLS transmit offload, kTLS receive offload, header split (zero-copy receive)',
  );
  expect(judgeOne(nicCapabilities, { net: { links: [vethOf()] } })[0]?.status).toBe('not-applicable');
});
