import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { CheckDocument } from '../../../src/model/results.js';
import { guestUnavailable, runGuest } from '../../support/guest.js';
import { poll } from '../../support/poll.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const reason = guestUnavailable();

const check = (name: string, window: number) =>
  `(cd ${root} && node bin/run.js check --json --window ${window} --fail-on never > /guest/${name}.json)`;

const softRoce = (address: string) => `
for module in crc32_generic ib_core ib_uverbs rdma_rxe; do modprobe $module || exit 1; done
ip addr add ${address}/24 dev eth0 && ip link set eth0 up || exit 1
rdma link add rxe0 type rxe netdev eth0 || exit 1
for i in $(seq 100); do rdma link | grep -q ACTIVE && break; sleep 0.1; done
`;

const resultsOf = (document: Buffer, id: string) =>
  (JSON.parse(document.toString()) as CheckDocument).results.filter((result) => result.id === id);

describe.skipIf(reason)(`RDMA in a guest${reason ? ` (skipped: ${reason})` : ''}`, () => {
  test('the verdict follows what the guest has: a kernel with rxe, the device, a port that goes down', async () => {
    const guest = await runGuest({
      cpus: 2,
      timeoutMs: 420_000,
      script: `${check('none', 0)}
${softRoce('10.9.0.1')}
${check('rxe', 0)}
ibv_devinfo -v -d rxe0 > /guest/devinfo
ip link set eth0 down
${check('down', 0)}
`,
    });
    expect(guest.status, guest.stderr).toBe(0);

    const [none] = resultsOf(guest.read('none.json'), 'rdma-verdict');
    expect(none?.status).toBe('info');
    expect(none?.summary).toMatch(/rxe/);

    const [rxe] = resultsOf(guest.read('rxe.json'), 'rdma-verdict');
    expect(rxe).toMatchObject({ status: 'pass', subject: { device: 'rxe0' } });
    expect(rxe?.summary).toContain('10.9.0.1');

    // The maxima are those that ibv_devinfo prints for the same device.
    const devinfo = guest.read('devinfo').toString();
    const [maxima] = resultsOf(guest.read('rxe.json'), 'rdma-maxima');
    for (const [key, name] of [
      ['maxQp', 'max_qp'],
      ['maxCq', 'max_cq'],
      ['maxMr', 'max_mr'],
    ] as const) {
      const printed = Number(new RegExp(`^\\s*${name}:\\s*(\\d+)`, 'm').exec(devinfo)?.[1]);
      expect(maxima?.evidence.find((evidence) => evidence.key === key)?.value).toBe(printed);
    }

    const [down] = resultsOf(guest.read('down.json'), 'rdma-verdict');
    // Nobody uses the device: an unused second port that is down is the normal case.
    expect(down?.status).toBe('info');
    expect(down?.summary).toMatch(/DOWN|down/);
  }, 430_000);

  test('two guests talk over soft-RoCE, and the fabric counters move', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sockdoc-wire-'));
    const wire = `addr.type=unix,addr.path=${folder}/wire`;
    const pingpong = 'timeout 60 ibv_rc_pingpong -d rxe0 -g 1 -n 200';
    try {
      const server = runGuest({
        cpus: 1,
        nics: [{ backend: `stream,server=on,${wire}`, mac: '52:54:00:12:34:01' }],
        script: `${softRoce('10.9.0.1')}\n${pingpong}`,
      });
      await poll('the wire is there', () => existsSync(`${folder}/wire`));
      const client = runGuest({
        cpus: 1,
        nics: [{ backend: `stream,server=off,${wire}`, mac: '52:54:00:12:34:02' }],
        script: `${softRoce('10.9.0.2')}
for i in $(seq 60); do ${pingpong} 10.9.0.1 && break; sleep 0.5; done
${check('client', 0)}
cat /sys/class/infiniband/rxe0/ports/1/hw_counters/sent_pkts > /guest/sent`,
      });
      const [served, guest] = await Promise.all([server, client]);
      expect(served.status, served.stderr).toBe(0);
      expect(guest.stdout).toMatch(/200 iters/);
      const [fabric] = resultsOf(guest.read('client.json'), 'rdma-fabric');
      expect(fabric?.subject).toMatchObject({ device: 'rxe0' });
      expect(Number(guest.read('sent').toString())).toBeGreaterThan(200);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }, 430_000);
});
