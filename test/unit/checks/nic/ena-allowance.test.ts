import { expect, test } from 'vitest';
import { enaAllowance } from '../../../../src/checks/nic/ena-allowance.js';
import { judgeOne } from '../../../support/judge.js';
import { linkOf, linkReading } from '../../../support/links.js';

const NONE = {
  bw_in_allowance_exceeded: 0,
  bw_out_allowance_exceeded: 0,
  pps_allowance_exceeded: 0,
  conntrack_allowance_exceeded: 0,
  linklocal_allowance_exceeded: 0,
  conntrack_allowance_available: 136_812,
};
const judge = (first: Record<string, number>, last: Record<string, number>) =>
  judgeOne(enaAllowance, {
    net: { links: [linkOf({ driver: 'ena' })] },
    first: linkReading({}, { ...NONE, ...first }),
    last: linkReading({}, { ...NONE, ...last }),
  });

test('what is dropped fails, what may only wait warns', () => {
  expect(judge({}, { conntrack_allowance_exceeded: 12, bw_out_allowance_exceeded: 300 })).toMatchObject([
    {
      status: 'fail',
      summary:
        'eth0: 12 packets over the tracked connections of the instance were dropped (conntrack_allowance_exceeded)',
    },
    { status: 'warn', subject: { interface: 'eth0' } },
  ]);
});

test('since boot is info; none passes; what is available is not an excess', () => {
  expect(judge({ pps_allowance_exceeded: 4 }, { pps_allowance_exceeded: 4 })).toMatchObject([
    { status: 'info', summary: 'eth0 exceeded allowances since boot, not within the window: pps_allowance_exceeded 4' },
  ]);
  expect(judge({}, { conntrack_allowance_available: 140_000 })).toMatchObject([{ status: 'pass' }]);
});

test('other drivers have no allowances', () => {
  const judged = judgeOne(enaAllowance, {
    net: { links: [linkOf()] },
    first: linkReading({}, { rx_out_of_buffer: 1 }),
    last: linkReading({}, { rx_out_of_buffer: 9 }),
  });
  expect(judged).toMatchObject([{ status: 'not-applicable' }]);
});
