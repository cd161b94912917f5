import { expect, test } from 'vitest';
import { hostCapabilities } from '../../../../src/checks/net/host-capabilities.js';
import { judgeOne } from '../../../support/judge.js';

const features = {
  smc: { available: false, detail: 'EAFNOSUPPORT' },
  io_uring: { available: true },
  'io_uring-send-zc': { available: true },
};

test('it lists what is there and never finds fault', () => {
  expect(judgeOne(hostCapabilities, { host: { features } })[0]).toMatchObject({
    status: 'pass',
    summary: 'there: io_uring, io_uring zero-copy send; not there: SMC sockets',
  });
  expect(judgeOne(hostCapabilities, {})[0]?.status).toBe('unknown');
});

test('io_uring that is switched off is information', () => {
  const [result] = judgeOne(hostCapabilities, { host: { features, sysctls: { 'kernel.io_uring_disabled': '2' } } });
  expect(result?.status).toBe('info');
  expect(result?.summary).toContain('io_uring is switched off for everybody');
});
