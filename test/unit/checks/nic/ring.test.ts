import { expect, test } from 'vitest';
import { ring } from '../../../../src/checks/nic/ring.js';
import type { Link } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { linkOf, linkReading, vethOf } from '../../../support/links.js';

const judge = (
  link: Link,
  first: [Record<string, number>, Record<string, number>?],
  last: [Record<string, number>, Record<string, number>?],
) =>
  judgeOne(ring, {
    net: { links: [link] },
    first: linkReading(first[0], first[1], link.name),
    last: linkReading(last[0], last[1], link.name),
  });

test('an mlx5 card out of buffers: names its counters, grows the ring', () => {
  const [result] = judge(
    linkOf({ rings: { rx: 1024, rxMax: 8192, tx: 1024, txMax: 8192 } }),
    [{ rx_missed_errors: 10 }, { rx_out_of_buffer: 10, rx_discards_phy: 0, rx_xdp_drop: 0 }],
    [{ rx_missed_errors: 250 }, { rx_out_of_buffer: 250, rx_discards_phy: 0, rx_xdp_drop: 9 }],
  );
  expect(result).toMatchObject({
    status: 'fail',
    subject: { interface: 'eth0' },
    summary:
      'eth0 dropped 240 packets for want of receive buffers (rx_missed_errors, rx_out_of_buffer); its ring has 1024 of 8192 possible entries',
    remedy: {
      commands: ['ethtool -G eth0 rx 4096'],
      undo: 'ethtool -G eth0 rx 1024',
      tunes: [{ key: 'ethtool:eth0:rings.rx', from: '1024', to: '4096' }],
    },
  });
});

test.each([
  ['igb', 'rx_no_buffer_count'],
  ['ixgbe', 'rx_no_dma_resources'],
  ['i40e', 'port.rx_discards'],
  ['bnxt_en', 'rx_total_discard_pkts'],
  ['ena', 'rx_overruns'],
  ['gve', 'rx_no_buffers_posted[3]'],
  ['vmxnet3', '  pkts rx OOB'],
  ['sfc', 'port_rx_nodesc_drops'],
])('%s tells by %s', (driver, counter) => {
  const [result] = judge(linkOf({ driver }), [{}, { [counter]: 1 }], [{}, { [counter]: 3 }]);
  expect(result).toMatchObject({ status: 'fail', summary: expect.stringContaining(`2 packets`) });
  expect(result?.summary).toContain(counter.trim());
});

test('drops by filters and programs are not overruns', () => {
  const filters = { rx_dropped: 0, rx_xdp_drop: 0, rx_queue_0_drops: 0, rx_steer_missed_packets: 0 };
  const more = Object.fromEntries(Object.keys(filters).map((key) => [key, 99]));
  const [result] = judge(
    linkOf(),
    [{ rx_dropped: 0, rx_missed_errors: 0 }, filters],
    [{ rx_dropped: 99, rx_missed_errors: 0 }, more],
  );
  expect(result?.status).toBe('pass');
});

test('a full-size ring is not grown further', () => {
  const [result] = judge(
    linkOf({ rings: { rx: 4096, rxMax: 4096 } }),
    [{ rx_fifo_errors: 0 }],
    [{ rx_fifo_errors: 4 }],
  );
  expect(result?.summary).toContain('at its maximum of 4096');
  expect(result?.remedy?.commands).toEqual([]);
});

test('since boot is info, none a pass, a counter that ran backwards no loss', () => {
  expect(judge(linkOf(), [{ rx_missed_errors: 5 }], [{ rx_missed_errors: 5 }])[0]?.status).toBe('info');
  expect(judge(linkOf(), [{ rx_missed_errors: 0 }], [{ rx_missed_errors: 0 }])[0]?.status).toBe('pass');
  expect(judge(linkOf(), [{ rx_missed_errors: 9 }], [{ rx_missed_errors: 2 }])[0]?.status).toBe('info');
});

test('virtual links, links that are down, a single reading and unknown counters are not judged', () => {
  const bad: [Record<string, number>] = [{ rx_missed_errors: 9 }];
  for (const link of [
    vethOf(),
    linkOf({ up: false }),
    linkOf({ name: 'lo', type: 'loopback' }),
    linkOf({ name: 'tun0', kind: 'tun' }),
  ])
    expect(judge(link, [{ rx_missed_errors: 0 }], bad)).toMatchObject([{ status: 'not-applicable' }]);
  expect(judge(linkOf(), [{}], [{}])[0]?.status).toBe('not-applicable');
  expect(judgeOne(ring, { net: { links: [linkOf()] }, last: linkReading({ rx_missed_errors: 3 }) })[0]?.status).toBe(
    'not-applicable',
  );
});
