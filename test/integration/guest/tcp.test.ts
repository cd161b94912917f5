import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { CheckDocument, Result } from '../../../src/model/results.js';
import { guestUnavailable, runGuest } from '../../support/guest.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const reason = guestUnavailable();

const check = (name: string) =>
  `node bin/run.js check --json --only tcp-memory --only orphans --window 1000 --fail-on never > /guest/${name}.json; cat /proc/net/sockstat > /guest/${name}.sockstat`;

/** Two senders that nobody reads fill memory, then TCP is given less than that; and closed connections stay behind. */
const SCRIPT = `cd ${root}
sleep 1000 | python3 -u fixtures/programs/listener.py 127.0.0.1 7000 128 accept &
until ss -Hltn | grep -q :7000; do sleep 0.2; done
for i in 1 2; do sleep 1000 | python3 -u fixtures/programs/sender.py 127.0.0.1 7000 65536 & done
until [ "$(ss -Htn state established | awk '{ print $2 }' | sort -n | tail -1)" -gt 1000000 ]; do sleep 0.2; done
sleep 1
pages() { awk '/^TCP:/ { print $NF }' /proc/net/sockstat; }
${check('room')}
sysctl -qw net.ipv4.tcp_max_orphans=20
python3 fixtures/programs/orphans.py 127.0.0.1 7000 17
sysctl -qw "net.ipv4.tcp_mem=1 $(($(pages) / 2)) $(($(pages) * 2))"
${check('many')}
sysctl -qw "net.ipv4.tcp_mem=1 2 $(($(pages) * 100 / 98))"
(while sleep 0.2; do python3 fixtures/programs/orphans.py 127.0.0.1 7000 5; done) &
${check('toomany')}
`;

describe.skipIf(reason)(`limits of the whole host, in a guest${reason ? ` (skipped: ${reason})` : ''}`, () => {
  test('memory of all TCP sockets, and orphans', async () => {
    const guest = await runGuest({ cpus: 2, timeoutMs: 600_000, script: SCRIPT });
    expect(guest.status, guest.stderr).toBe(0);
    const result = (name: string, id: string): Result | undefined => {
      const document: CheckDocument = JSON.parse(guest.read(`${name}.json`).toString());
      return document.results.find((r) => r.id === id);
    };
    const sockstat = (name: string, key: string) =>
      Number(new RegExp(`^TCP:.* ${key} (\\d+)`, 'm').exec(guest.read(`${name}.sockstat`).toString())?.[1]);
    const value = (name: string, id: string, key: string) =>
      result(name, id)?.evidence.find((e) => e.key === key)?.value;

    expect(result('room', 'tcp-memory')?.status).toBe('pass');
    expect(value('room', 'tcp-memory', 'TCP.mem')).toBe(sockstat('room', 'mem'));
    expect(result('many', 'tcp-memory')).toMatchObject({
      status: 'warn',
      subject: { key: 'net.ipv4.tcp_mem' },
      remedy: { commands: [expect.stringMatching(/^sysctl -w "net.ipv4.tcp_mem=/)] },
    });
    expect(result('toomany', 'tcp-memory')?.status).toBe('fail');

    expect(result('room', 'orphans')?.status).toBe('pass');
    expect(result('many', 'orphans')).toMatchObject({
      status: 'warn',
      remedy: { tunes: [{ key: 'net.ipv4.tcp_max_orphans', from: '20', to: '40' }] },
    });
    expect(value('many', 'orphans', 'TCP.orphan')).toBe(sockstat('many', 'orphan'));
    expect(result('toomany', 'orphans')).toMatchObject({
      status: 'fail',
      summary: expect.stringContaining('were reset'),
    });
  }, 620_000);
});
