import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inject } from '../../support/inject.js';
import { hasLibsd } from '../../support/libsd.js';
import { requireTool } from '../../support/live.js';
import { poll } from '../../support/poll.js';
import { freePort } from '../../support/ports.js';
import { accepts, ServerBench } from '../../support/servers.js';
import { confinementOf, UnitManager } from '../../support/units.js';

// Services under the real systemd, confined as the distribution's own units have it.
describe.runIf(hasLibsd)('services of systemd', () => {
  let bench: ServerBench;
  let units: UnitManager;
  let missing: string | undefined;
  beforeAll(async () => {
    bench = await ServerBench.begin();
    units = new UnitManager();
    missing = await units.begin();
  });
  afterAll(async () => {
    await units.end();
    await bench.end();
  });

  const attach = (pid: number) =>
    inject('attach', pid, { args: ['--monitor', bench.environment().SOCKDOC_MONITOR as string, '--after-calls', '1'] });
  const redis = (port: number) => ['/usr/bin/redis-server', '--port', `${port}`, '--save', '""', '--dir', '/'];
  const seccompOf = (pid: number) => /^Seccomp:\t(\d)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];

  it('redis as Debian confines it, under load: there and back, and no request is lost', async (context) => {
    if (missing !== undefined) context.skip(missing);
    requireTool(context, 'redis-server', 'redis-benchmark', 'redis-cli');
    const confinement = confinementOf('redis-server.service');
    expect(confinement).toEqual(
      expect.arrayContaining(['SystemCallFilter=@system-service', 'MemoryDenyWriteExecute=true', 'PrivateUsers=true']),
    );
    const port = await freePort();
    const pid = await units.start('redis', redis(port), confinement);
    await poll('it listens', () => accepts(port));
    expect(seccompOf(pid)).toBe('2');
    const count = async () =>
      Number(await bench.output(['redis-cli', '-p', `${port}`, 'get', 'counter:__rand_int__'], { plain: true }));
    for (const turn of [1, 2, 3]) {
      const words = ['-p', `${port}`, '-c', '20', '-n', '1000000000', '-t', 'incr', '-q'];
      const load = bench.start(['redis-benchmark', ...words]);
      await poll('it is under load', async () => (await bench.ends(port)).length >= 40);
      expect(attach(pid), `turn ${turn}`).toMatchObject({ state: 'attached' });
      await bench.upgraded(port);
      expect(inject('detach', pid), `turn ${turn}`).toMatchObject({ state: 'detached' });
      const before = await count();
      await poll('it goes on', async () => (await count()) > before);
      expect(load.running()).toBe(true);
      expect(load.said).not.toMatch(/error/i);
      await load.stop();
    }
    await units.stop('redis');
  });

  it('memcached as Debian confines it', async (context) => {
    if (missing !== undefined) context.skip(missing);
    requireTool(context, 'memcached', 'memcping');
    const confinement = confinementOf('memcached.service');
    expect(confinement).toContain('MemoryDenyWriteExecute=true');
    const port = await freePort();
    const command = ['/usr/bin/memcached', '-u', 'root', '-l', '127.0.0.1', '-p', `${port}`, '-U', '0'];
    const pid = await units.start('memcached', command, confinement);
    await poll('it listens', () => accepts(port));
    expect(seccompOf(pid)).toBe('2');
    const ping = () => bench.output(['memcping', `--servers=127.0.0.1:${port}`]);
    for (const turn of [1, 2]) {
      expect(attach(pid), `turn ${turn}`).toMatchObject({ state: 'attached' });
      await ping();
      expect(inject('detach', pid), `turn ${turn}`).toMatchObject({ state: 'detached' });
      await ping();
    }
    await units.stop('memcached');
  });

  it.for([
    ['SystemCallFilter=~memfd_create', 'memfd_create', 'SystemCallFilter=memfd_create'],
    ['RestrictAddressFamilies=AF_INET AF_INET6', 'socket(AF_UNIX)', 'RestrictAddressFamilies=AF_UNIX'],
  ] as const)('one with %s is refused with what to do, and goes on', async ([setting, name, advice], context) => {
    if (missing !== undefined) context.skip(missing);
    requireTool(context, 'redis-server', 'redis-cli');
    const port = await freePort();
    const pid = await units.start('refused', redis(port), [setting]);
    await poll('it listens', () => accepts(port));
    const said = attach(pid);
    expect(said).toMatchObject({ state: 'refused', code: 'seccomp', next: expect.stringContaining(advice) });
    expect(said.reason).toContain(`what libsd needs: ${name}.`);
    expect(await bench.output(['redis-cli', '-p', `${port}`, 'ping'], { plain: true })).toBe('PONG\n');
    await units.stop('refused');
  });
});
