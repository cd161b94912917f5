import { chmodSync, chownSync, copyFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { monitorStatus } from '../../../src/services/monitor/status.js';
import { compiled, hasLibsd, LIBSD } from '../../support/libsd.js';
import { requireRoot, requireTool } from '../../support/live.js';
import type { Monitor } from '../../support/monitor.js';
import { ask, type Done, Talking, upgraded } from '../../support/talking.js';
import type { Victim } from '../../support/victim.js';

const fine = { result: 0, wrong: 0 };
const HOWS = ['fork', 'vfork', 'stdin', 'posix_spawn', 'system', 'popen', 'plainly'] as const;

// Two processes with libsd. One starts a program that knows of no ring, and tells it of the socket, where bytes lie unread.
describe.runIf(hasLibsd)('children that execute a program without libsd while bytes lie unread', () => {
  let talking: Talking;
  let monitor: Monitor;
  let plain = '';
  beforeEach(async () => {
    plain = compiled('libsd/talk', { flags: ['-static'], suffix: '.static' });
    talking = new Talking();
    monitor = await talking.bench.running();
  });
  afterEach(() => talking.remove());

  const goesOn = async ([from, to]: [Victim, Victim]) => {
    const both = await Promise.all([ask<Done>(from, 'both 50'), ask<Done>(to, 'both 50')]);
    for (const done of both) expect(done).toMatchObject(fine);
    expect(await talking.resets()).toBe(0);
  };

  it.each(HOWS)('%s: the child reads some, and its parent the rest', async (how) => {
    const ends = await talking.unread(9000);
    expect(await ask<Done>(ends[1], `spawn 5000 ${how} ${plain}`)).toMatchObject(fine);
    expect(await ask<Done>(ends[1], 'pull 4000')).toMatchObject(fine);
    await goesOn(ends);
    await talking.returned();
  });

  it.each(HOWS)('%s: the child does not read, and its parent goes on', async (how) => {
    const ends = await talking.unread(9000);
    expect(await ask<Done>(ends[1], `spawn 0 ${how} ${plain}`)).toMatchObject(fine);
    expect(await ask<Done>(ends[1], 'pull 9000')).toMatchObject(fine);
    await goesOn(ends);
  });

  it.each(['fork', 'vfork'])('%s: the child is no client of the monitor meanwhile', async (how) => {
    const [from, to] = await talking.unread(9000);
    const spawned = ask<Done>(to, `spawn 10000 ${how} ${plain}`);
    await talking.returned();
    const { clients } = await monitorStatus(talking.bench.socket);
    expect(clients?.map(({ pid }) => pid).sort()).toEqual([from.pid, to.pid].sort());
    expect(await ask<Done>(from, 'push 1000')).toMatchObject(fine);
    expect(await spawned).toMatchObject(fine);
  });

  it.each(HOWS)('%s: while their sender sends on and on', async (how) => {
    const ends = await talking.unread(300_000);
    const sent = ask<Done>(ends[0], 'push 20000000');
    expect(await ask<Done>(ends[1], `spawn 10000000 ${how} ${plain}`)).toMatchObject(fine);
    expect(await ask<Done>(ends[1], 'pull 10300000')).toMatchObject(fine);
    expect(await sent).toMatchObject(fine);
    await goesOn(ends);
  });

  it.each(['fork', 'vfork'])('%s: while the parent reads in another thread', async (how) => {
    const ends = await talking.unread(300_000);
    const sent = ask<Done>(ends[0], 'push 20000000');
    expect(await ask<Done>(ends[1], `beside 20300000 ${how} ${plain}`)).toMatchObject(fine);
    expect(await sent).toMatchObject(fine);
    await goesOn(ends);
  });

  it.each(['fork', 'vfork'])('%s: the connection is reset where nobody can answer', async (how) => {
    const [from, to] = await talking.unread(9000);
    await monitor.end('SIGKILL');
    expect(await ask<Done>(to, `spawn 9000 ${how} ${plain}`)).toMatchObject({ result: -1, errno: 'ECONNRESET' });
    expect(await ask<Done>(from, 'eof')).toMatchObject({ result: -1, errno: 'ECONNRESET' });
  });

  it('but not by a child that is not told of the socket, also of a shell that was told', async () => {
    const [from, to] = await talking.unread(9000);
    await monitor.end('SIGKILL');
    expect(await ask<Done>(to, `spawn 0 untold ${plain}`)).toMatchObject(fine);
    expect(await ask<Done>(to, 'pull 9000')).toMatchObject(fine);
    const both = await Promise.all([ask<Done>(from, 'both 50'), ask<Done>(to, 'both 50')]);
    for (const done of both) expect(done).toMatchObject(fine);
  });

  it.each(['fork', 'vfork'])('%s: and counted, where the sender was killed', async (how) => {
    const [from, to] = await talking.unread(9000);
    await from.stop();
    expect(await ask<Done>(to, `spawn 9000 ${how} ${plain}`)).toMatchObject({ result: -1, errno: 'ECONNRESET' });
    expect(await ask<Done>(to, 'eof')).toMatchObject({ result: expect.any(Number) });
    expect(await talking.resets()).toBe(1);
  });
});

const NOBODY = 65534;
const YAMA = '/proc/sys/kernel/yama/ptrace_scope';

// It may look into processes of its user, unless the kernel leaves that to debuggers that are their ancestors.
describe.runIf(hasLibsd)('a monitor of the user’s own gives unread bytes back to the kernel', () => {
  let talking: Talking;
  beforeEach((context) => {
    requireRoot(context);
    requireTool(context, 'setpriv');
    talking = new Talking();
  });
  afterEach(() => talking?.remove());

  it.each(['fork', 'vfork'])('%s', async (how) => {
    const { bench } = talking;
    const folder = bench.folderFor(NOBODY, 0o700);
    chownSync(folder, NOBODY, NOBODY);
    const socket = join(folder, 'monitor.sock');
    await bench.running([], { uid: NOBODY, socket });
    // The repository may be where other users cannot go.
    const copy = (file: string, name: string) => {
      const path = join(bench.folder, name);
      copyFileSync(file, path);
      chmodSync(path, 0o755);
      return path;
    };
    const program = copy(compiled('libsd/talk'), 'talk');
    const plain = copy(compiled('libsd/talk', { flags: ['-static'], suffix: '.static' }), 'plain');
    const env = { LD_PRELOAD: copy(LIBSD, 'libsd.so'), SOCKDOC_MONITOR: socket };
    const user = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
    const prefix = [...user, 'sh', '-c', 'shift; exec "$0" "$@"', program];
    const to = await talking.program('listen', env, prefix);
    const from = await talking.program(to.ready, env, prefix);
    await upgraded([from, to]);
    expect(await ask<Done>(from, 'push 9000')).toMatchObject(fine);
    const said = await ask<Done>(to, `spawn 5000 ${how} ${plain}`);
    if (existsSync(YAMA) && Number(readFileSync(YAMA, 'utf8')) > 0) {
      expect(said).toMatchObject({ result: -1, errno: 'ECONNRESET' });
      return;
    }
    expect(said).toMatchObject(fine);
    expect(await ask<Done>(to, 'pull 4000')).toMatchObject(fine);
    const both = await Promise.all([ask<Done>(from, 'both 50'), ask<Done>(to, 'both 50')]);
    for (const done of both) expect(done).toMatchObject(fine);
    expect((await monitorStatus(socket)).returned).toBe(1);
  });
});
