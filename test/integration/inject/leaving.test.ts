import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, describe, expect, it } from 'vitest';
import type { Kept } from '../../../src/model/migrate.js';
import { monitorStatus } from '../../../src/services/monitor/status.js';
import { inject, injecting, killedAt, Speaker } from '../../support/inject.js';
import { hasLibsd } from '../../support/libsd.js';
import { requireRoot } from '../../support/live.js';
import { MonitorBench } from '../../support/monitor.js';
import { poll } from '../../support/poll.js';
import { parseSs } from '../../support/ss.js';

const UNREAD = fileURLToPath(new URL('../../../fixtures/programs/inject/unread.py', import.meta.url));

describe.runIf(hasLibsd)('a process whose connections go by memory', () => {
  let bench: MonitorBench | undefined;
  const victims: Speaker[] = [];
  afterEach(async () => {
    for (const victim of victims.splice(0)) await victim.stop();
    await bench?.remove();
    bench = undefined;
  });

  const started = async (prefix: readonly string[] = []) => {
    const victim = new Speaker([...prefix, '/usr/bin/python3', UNREAD]);
    victims.push(victim);
    expect(await victim.line()).toBe('ready');
    return victim;
  };
  /** Talks until both ends of its newest connection are in memory: `count` of all ends are then. */
  const moved = (victim: Speaker, socket: string, count: number) =>
    poll('its connection moves', async () => {
      expect(await victim.ask('talk 100')).toBe('done');
      const said = await monitorStatus(socket);
      return said.ends?.filter(({ transport }) => transport === 'shm').length === count;
    });

  const byMemory = async (socket: string) =>
    ((await monitorStatus(socket)).ends ?? []).reduce((sum, { sentBytes = 0 }) => sum + sentBytes, 0);

  /** Attached, with bytes in memory that it does not read. */
  const withUnread = async (bytes: number) => {
    bench = new MonitorBench();
    const monitor = await bench.running();
    const { socket } = bench;
    const victim = await started();
    const attach = () => inject('attach', victim.pid, { args: ['--monitor', socket, '--after-calls', '1'] });
    expect(attach()).toMatchObject({ state: 'attached' });
    await victim.ask('new');
    await moved(victim, socket, 2);
    await poll('bytes lie in memory', async () => {
      const before = await byMemory(socket);
      expect(await victim.ask(`send ${bytes}`)).toBe('done');
      if ((await byMemory(socket)) > before) return true;
      // A sleeper is woken by the kernel.
      expect(await victim.ask('read')).toBe('done');
      expect(await victim.ask('talk 10')).toBe('done');
      return false;
    });
    return { victim, monitor, socket, attach };
  };

  it.each([1000, 600_000])('is left while %i bytes lie unread there, and finds them', async (bytes) => {
    const { victim, socket, attach } = await withUnread(bytes);
    expect(inject('detach', victim.pid)).toMatchObject({ state: 'detached' });
    expect(await victim.ask('read')).toBe('done');
    expect(await victim.ask('talk 100')).toBe('done');
    expect(attach()).toMatchObject({ state: 'attached' });
    await moved(victim, socket, 2);
  });

  it('is not left while bytes lie unread there and no monitor helps, and then stays as it was', async () => {
    const { victim, monitor, socket, attach } = await withUnread(1000);
    await monitor.end('SIGKILL');
    const back = inject('detach', victim.pid, { args: ['--timeout-ms', '600'] });
    expect(back).toMatchObject({
      state: 'refused',
      code: 'timeout',
      reason: expect.stringMatching(/^Descriptor \d+ \(127.* to 127.*\) has bytes .* does not read: 1000\.$/),
      keptCount: 1,
    });
    // Which connection it is, as ss says.
    const [one] = back.kept as [Kept];
    const port = Number((one.local as string).split(':')[1]);
    expect(one).toEqual({
      why: 'unread',
      direction: 'in',
      fd: expect.any(Number),
      local: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      remote: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      unreadBytes: 1000,
    });
    expect(readlinkSync(`/proc/${victim.pid}/fd/${one.fd}`)).toMatch(/^socket:/);
    const rows = parseSs((await execa('ss', ['-Htnp', `( sport = :${port} )`])).stdout);
    expect(rows.map(({ local, remote }) => ({ local, remote }))).toContainEqual({
      local: one.local,
      remote: one.remote,
    });
    await bench?.running();
    expect(attach(), 'libsd is at work').toMatchObject({ code: 'already' });
    expect(await victim.ask('read')).toBe('done');
    // It goes on with what comes: connections move again.
    await victim.ask('new');
    await moved(victim, socket, 2);
    expect(inject('detach', victim.pid)).toMatchObject({ state: 'detached' });
    expect(await victim.ask('talk 100')).toBe('done');
  });

  it('is attached to and left by one injector at a time: others wait for their turn, or say whose it is', async () => {
    const { victim, monitor, socket } = await withUnread(1000);
    await monitor.end('SIGKILL');
    const args = ['--monitor', socket];
    const leaving = injecting(victim.pid, ['--timeout-ms', '60000'], 'detach');
    const refused = await poll('it is being left', () => {
      const said = inject('attach', victim.pid, { args: [...args, '--timeout-ms', '300'] });
      return said.code === 'busy' && said;
    });
    expect(refused.reason).toBe(`sockdoc-inject (${leaving.child.pid}) is leaving it, and was not done in time.`);
    const attaching = injecting(victim.pid, [...args, '--timeout-ms', '60000']);
    expect(await victim.ask('read')).toBe('done');
    expect(await leaving.said).toMatchObject({ state: 'detached' });
    expect(await attaching.said).toMatchObject({ state: 'attached' });
    expect(await victim.ask('talk 100')).toBe('done');
  });

  it('is attached to again where an injector was killed while it took libsd out', async () => {
    bench = new MonitorBench();
    await bench.running();
    const { socket } = bench;
    const victim = await started();
    const attach = () => inject('attach', victim.pid, { args: ['--monitor', socket, '--after-calls', '1'] });
    expect(attach()).toMatchObject({ state: 'attached' });
    const PREPARED = 7;
    expect(killedAt(PREPARED, 'detach', victim.pid)).toBe(true);
    expect(attach()).toMatchObject({ state: 'attached' });
    expect(attach()).toMatchObject({ code: 'already' });
    await victim.ask('new');
    await moved(victim, socket, 2);
  });

  it('goes there after few calls, although the monitor has answered no greeting at the first', async () => {
    bench = new MonitorBench();
    await bench.running();
    const { socket } = bench;
    const victim = await started();
    await victim.ask('new');
    expect(inject('attach', victim.pid, { args: ['--monitor', socket, '--after-calls', '1'] })).toMatchObject({
      state: 'attached',
    });
    // Each socket makes two calls in a round trip; a question that was lost is repeated after 64 of them.
    for (let talks = 0; talks < 25; talks++) {
      expect(await victim.ask('talk 1')).toBe('done');
      const { ends = [] } = await monitorStatus(socket);
      if (ends.filter(({ transport }) => transport === 'shm').length === 2) return;
      await sleep(100);
    }
    expect.unreachable('it has not moved');
  });

  it('is not attached to where it would not find the monitor', async (context) => {
    requireRoot(context);
    bench = new MonitorBench();
    await bench.running();
    const { socket, folder } = bench;
    const elsewhere = mkdtempSync(join(tmpdir(), 'sockdoc-inject-'));
    try {
      chmodSync(elsewhere, 0o755);
      mkdirSync(join(elsewhere, 'empty'));
      // Its own /tmp, as systemd's PrivateTmp= makes it.
      const hide = ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" "$1" && shift && exec "$@"'];
      const victim = await started([...hide, join(elsewhere, 'empty'), folder]);
      const args = ['--monitor', socket];
      for (const dry of [['--dry-run'], []]) {
        const refused = inject('attach', victim.pid, { args: [...args, ...dry] });
        expect(refused).toMatchObject({ state: 'refused', code: 'monitor', next: expect.stringContaining(folder) });
      }
      expect(readFileSync(`/proc/${victim.pid}/maps`, 'utf8')).not.toContain('sockdoc-libsd');
      const seeing = await started(['unshare', '--mount']);
      expect(inject('attach', seeing.pid, { args })).toMatchObject({ state: 'attached' });
    } finally {
      rmSync(elsewhere, { recursive: true, force: true });
    }
  });
});
