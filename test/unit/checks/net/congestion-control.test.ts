import { expect, test } from 'vitest';
import { congestionControl } from '../../../../src/checks/net/congestion-control.js';
import { judgeOne } from '../../../support/judge.js';
import { routeOf, sysctlFilesOf } from '../../../support/snapshot.js';

const KEY = 'net.ipv4.tcp_congestion_control';
const judged = (asked: string, loadable: string[] = [], initial = true) =>
  judgeOne(congestionControl, {
    net: { sysctls: { [KEY]: 'cubic' }, initial },
    host: {
      congestionControls: { available: ['reno', 'cubic'], loadable },
      sysctlFiles: sysctlFilesOf({ '/etc/sysctl.d/10-cc.conf': { [KEY]: asked } }),
    },
  });

test('an algorithm that the kernel lacks is a warning, with its module where there is one', () => {
  expect(judged('bbr')[0]).toMatchObject({
    status: 'warn',
    subject: { key: KEY, file: '/etc/sysctl.d/10-cc.conf' },
    summary: '/etc/sysctl.d/10-cc.conf:1 asks for bbr, which is not available; new connections use cubic',
    remedy: { commands: [] },
  });
  expect(judged('bbr', ['bbr'])[0]?.remedy?.commands[0]).toBe('modprobe tcp_bbr');
});

test('one that is there passes, and other namespaces do not answer for the files', () => {
  expect(judged('reno')[0]?.status).toBe('pass');
  expect(judged('bbr', [], false)[0]?.status).toBe('pass');
});

test('a route may ask too', () => {
  const [result] = judgeOne(congestionControl, {
    net: { sysctls: { [KEY]: 'cubic' }, routes: [routeOf({ destination: '10.9.0.0/16', congestionControl: 'dctcp' })] },
    host: { congestionControls: { available: ['cubic'], loadable: [] } },
  });
  expect(result).toMatchObject({ status: 'warn' });
  expect(result?.summary).toContain('route 10.9.0.0/16 asks for dctcp');
});

test('without the list of the kernel nothing is claimed', () => {
  expect(judgeOne(congestionControl, { net: { sysctls: { [KEY]: 'cubic' } } })[0]?.status).toBe('unknown');
  expect(judgeOne(congestionControl, {})[0]?.status).toBe('unknown');
});
