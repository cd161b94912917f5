import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PlanRow } from '../../../src/model/tune/plan.js';
import { type ApplyOptions, applyPlan } from '../../../src/services/tune/apply.js';
import { tuneHistory } from '../../../src/services/tune/history.js';
import { revertEntry } from '../../../src/services/tune/revert.js';
import { lockTune } from '../../../src/services/tune/state.js';
import { verifyEntry } from '../../../src/services/tune/verify.js';
import { poll } from '../../support/poll.js';
import { expectValid } from '../../support/schemas.js';
import { rowOf, type TuneHost, tuneHost, tuningUnavailable } from '../../support/tuning.js';

describe.skipIf(tuningUnavailable())('what goes wrong while settings are changed', { timeout: 180_000 }, () => {
  let host: TuneHost;
  let before: Record<string, string>;
  beforeEach(async () => {
    host = tuneHost();
    before = await host.sysctls();
  });
  afterEach(() => host.remove());

  const somaxconn = (to = '7777') => rowOf('net.core.somaxconn', host.sysctl('net.core.somaxconn'), to);
  const sack = () => rowOf('net.ipv4.tcp_sack', '1', '0');
  const flows = (from: string, to: string) => rowOf('/sys/class/net/v0/queues/rx-0/rps_flow_cnt', from, to);
  const apply = (rows: PlanRow[], options: ApplyOptions = {}) =>
    applyPlan({ profile: 'general', rows }, { netns: host.netns, ...options });

  it('skips what cannot be written here, and says why', async () => {
    const { applied, skipped, id } = await apply([
      rowOf('net.core.rmem_max', host.sysctl('net.core.rmem_max'), '99999999'),
      rowOf('net.ipv4.no_such_key', '0', '1'),
      rowOf('vm.swappiness', readFileSync('/proc/sys/vm/swappiness', 'utf8').trim(), '10', { scope: 'host' }),
      rowOf('ethtool:gone0:rings.rx', '256', '512'),
      rowOf('ethtool:v0:rings.rx', '256', '512'),
      rowOf('net.ipv4.tcp_rmem', '1 2 3', '4 5 6'),
      rowOf('net.core.optmem_max', host.sysctl('net.core.optmem_max'), '1024', { raiseOnly: true }),
      rowOf('net.ipv4.tcp_sack', '0', '1'),
    ]);
    expect([applied, id]).toEqual([[], null]);
    expect(Object.fromEntries(skipped.map(({ key, reason }) => [key, reason]))).toEqual({
      'net.core.rmem_max': 'permission denied',
      'net.ipv4.no_such_key': 'it is not there in this kernel or network namespace',
      'vm.swappiness': expect.stringContaining('--host'),
      'ethtool:gone0:rings.rx': 'the interface is gone',
      'ethtool:v0:rings.rx': 'the driver cannot set it',
      'net.ipv4.tcp_rmem': expect.stringContaining('the plan was made for "1 2 3"'),
      'net.core.optmem_max': expect.stringContaining('would lower it'),
      'net.ipv4.tcp_sack': 'it is so already',
    });
    expect(existsSync(host.state)).toBe(false);
  });

  it('writes nothing where /proc/sys is there for reading only', async () => {
    const script = 'mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys';
    const { change } = await host.apply([somaxconn()], {}, {}, script);
    expect(change).toMatchObject({
      applied: [],
      skipped: [{ reason: 'it is mounted for reading only here' }],
      id: null,
    });
  });

  it('changes nothing without room for the journal', async () => {
    const script = `mkdir -p ${host.state}; mount -t tmpfs -o size=4k none ${host.state}; head -c 4096 /dev/zero > ${host.state}/full`;
    const { code, thrown } = await host.apply([somaxconn()], {}, {}, script);
    expect([code, thrown?.message]).toEqual([4, expect.stringContaining('the disk is full')]);
    expect(await host.sysctls()).toEqual(before);
  });

  it('takes everything back when the disk becomes full in the middle', async () => {
    // Room for the lock and one page of the journal, which a list of features fills.
    const script = `mkdir -p ${host.state}; mount -t tmpfs -o size=8k none ${host.state}`;
    const features = ['tx-checksum-ip-generic', 'tx-generic-segmentation', 'rx-checksum'].map((name) =>
      rowOf(`ethtool:v0:features.${name}`, 'on', 'off'),
    );
    const links = host.sh('ethtool -k v0');
    const { change } = await host.apply([somaxconn(), ...features], {}, {}, script);
    expect(change.failed?.reason).toContain('the disk is full');
    expect(change.failed?.undone).toContain('net.core.somaxconn');
    expect(change.failed?.kept).toEqual([]);
    expect(await host.sysctls()).toEqual(before);
    expect(host.sh('ethtool -k v0')).toBe(links);
  });

  it('takes everything back when a setting vanishes in the middle', async () => {
    const rows = [somaxconn(), rowOf('net.ipv4.conf.v0.rp_filter', host.sysctl('net.ipv4.conf.v0.rp_filter'), '2')];
    const { applied, failed } = await apply(rows, {
      onWrite: (_, at) => {
        if (at === 2) host.sh('ip link del v0');
      },
    });
    expect(applied).toEqual([]);
    expect(failed).toMatchObject({ key: 'net.ipv4.conf.v0.rp_filter', undone: ['net.core.somaxconn'], kept: [] });
    expect(host.sysctl('net.core.somaxconn')).toBe(rows[0]?.from);
    expect(tuneHistory().entries[0]?.state).toBe('undone');
  });

  it('keeps and says what the kernel rounds, and takes back what it rounds away', async () => {
    const { applied } = await apply([flows('0', '1000')]);
    expect(applied).toEqual([{ key: flows('', '').key, from: '0', to: '1024', asked: '1000' }]);
    expect((await verifyEntry()).ok).toBe(true);
    const { failed } = await apply([somaxconn(), flows('1024', '1000')]);
    expect(failed).toMatchObject({
      reason: expect.stringContaining('the kernel made it "1024"'),
      undone: ['net.core.somaxconn'],
    });
    expect((await revertEntry()).reverted).toEqual([{ key: flows('', '').key, from: '1024', to: '0' }]);
  });

  it('takes back a value that the kernel refuses along with all before it', async () => {
    const { failed } = await apply([
      somaxconn(),
      rowOf('net.ipv4.tcp_tw_reuse', host.sysctl('net.ipv4.tcp_tw_reuse'), '77'),
    ]);
    expect(failed).toMatchObject({ key: 'net.ipv4.tcp_tw_reuse', reason: 'the kernel does not take this value' });
    expect(await host.sysctls()).toEqual(before);
  });

  it('is interrupted between two writes, and undoes the first', async () => {
    const controller = new AbortController();
    const onWrite = (_: string, at: number) => {
      if (at === 1) controller.abort(new Error('stopped by SIGINT'));
    };
    const { failed } = await apply([somaxconn(), sack()], { signal: controller.signal, onWrite });
    expect(failed).toEqual({ key: '', reason: 'stopped by SIGINT', undone: ['net.core.somaxconn'], kept: [] });
    expect(await host.sysctls()).toEqual(before);
  });

  it('leaves alone what a running program owns', async () => {
    const row = { ...somaxconn(), owner: { name: 'tuned', running: true, pid: 1 } };
    await expect(apply([row])).rejects.toThrow('running programs own net.core.somaxconn (tuned, pid 1)');
    expect((await apply([row], { override: true })).applied).toHaveLength(1);
  });

  it('waits for nobody who holds the lock, and names them', async () => {
    const lock = lockTune('a test');
    const { code, thrown } = await host.apply([somaxconn()]);
    expect([code, thrown?.message]).toEqual([4, expect.stringContaining(`pid ${process.pid} (a test)`)]);
    lock.release();
    const both = await Promise.all([host.apply([somaxconn()]), host.apply([sack()])]);
    expect(both.filter(({ change }) => change.applied?.length === 1).length).toBeGreaterThan(0);
    while ((await revertEntry()).id !== null);
    expect(await host.sysctls()).toEqual(before);
  });

  it('keeps what somebody has changed since', async () => {
    await apply([somaxconn(), sack()]);
    host.sh('echo 555 > /proc/sys/net/core/somaxconn');
    const verified = await host.sockdoc(['tune', 'verify', '--json']);
    await expectValid('tune-verify', JSON.parse(verified.stdout));
    expect([verified.code, JSON.parse(verified.stdout).items[0]]).toEqual([
      1,
      { key: 'net.core.somaxconn', expected: '7777', actual: '555', ok: false, owner: null },
    ]);
    const { code, stdout } = await host.sockdoc(['tune', 'revert', '--json']);
    await expectValid('tune-revert', JSON.parse(stdout));
    expect([code, JSON.parse(stdout)]).toMatchObject([
      1,
      {
        reverted: [{ key: 'net.ipv4.tcp_sack', from: '0', to: '1' }],
        kept: [{ key: 'net.core.somaxconn', reason: expect.stringContaining('it is "555" now') }],
      },
    ]);
    expect(host.sysctl('net.core.somaxconn')).toBe('555');
  });

  it('takes later changes of the same setting back first', async () => {
    const first = await apply([somaxconn('5000')]);
    const second = await apply([somaxconn('6000')]);
    const refused = await host.sockdoc(['tune', 'revert', first.id as string]);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(second.id as string)]);
    expect((await revertEntry({ id: second.id as string })).reverted).toHaveLength(1);
    expect((await revertEntry()).id).toBe(first.id);
    expect(await host.sysctls()).toEqual(before);
    const history = await host.sockdoc(['tune', 'history', '--json']);
    await expectValid('tune-history', JSON.parse(history.stdout));
    expect(JSON.parse(history.stdout).entries.map(({ state }: { state: string }) => state)).toEqual([
      'reverted',
      'reverted',
    ]);
  });

  it('refuses to revert in another namespace than the one it changed', async () => {
    const { id } = await apply([somaxconn()]);
    await host.removeNamespace();
    await expect(revertEntry({ id: id as string })).rejects.toThrow('is gone or cannot be entered');
    execFileSync('ip', ['netns', 'add', host.name]);
    await expect(revertEntry({ id: id as string })).rejects.toThrow('is gone or cannot be entered');
  });

  it('changes limits of a process, and gives them back to no other', async () => {
    const child = spawn('sleep', ['600']);
    try {
      const now = () =>
        execFileSync('prlimit', ['--pid', String(child.pid), '--nofile', '--raw', '--noheadings', '-o', 'SOFT,HARD'], {
          encoding: 'utf8',
        })
          .trim()
          .replace(' ', ':');
      const [former, hard] = [now(), now().split(':')[1]];
      const row = rowOf(`limit:${child.pid}:nofile`, former, `64:${hard}`, { scope: 'host' });
      expect((await apply([row])).applied).toHaveLength(1);
      expect(now()).toBe(`64:${hard}`);
      expect((await revertEntry()).kept).toEqual([]);
      expect(now()).toBe(former);
      await apply([row]);
    } finally {
      const gone = once(child, 'exit');
      child.kill();
      await gone;
    }
    expect((await revertEntry()).kept).toMatchObject([{ reason: 'the process has ended' }]);
  });

  it('prints shell that does the same, with the same care', async () => {
    const links = () => host.sh('ethtool -k v0');
    const before = { sysctls: await host.sysctls(), links: links() };
    const rows = [
      somaxconn(),
      sack(),
      rowOf('net.ipv4.ip_local_reserved_ports', '', '8080,9000-9010'),
      rowOf(
        'ethtool:v0:features.rx-gro',
        host.sh('ethtool -k v0 | sed -n "s/^generic-receive-offload: //p"').trim(),
        'on',
      ),
      rowOf('ethtool:v0:features.tx-checksum-ip-generic', 'on', 'off'),
    ];
    await apply(rows);
    const { stdout: script } = await host.sockdoc(['tune', 'undo-script']);
    host.sh(script);
    expect({ sysctls: await host.sysctls(), links: links() }).toEqual(before);
    expect(() => execFileSync('sh', ['-c', script], { stdio: 'pipe' })).toThrow('not the network namespace');
    await revertEntry();
    await apply(rows);
    host.sh('echo 555 > /proc/sys/net/core/somaxconn');
    const again = await host.sockdoc(['tune', 'undo-script', '--json']);
    await expectValid('tune-undo-script', JSON.parse(again.stdout));
    expect(() => host.sh(JSON.parse(again.stdout).script)).toThrow();
    expect([host.sysctl('net.core.somaxconn'), host.sysctl('net.ipv4.tcp_sack')]).toEqual(['555', '1']);
  });

  it('reverts by itself unless it is confirmed', async () => {
    const { id, confirmBefore } = await apply([somaxconn()], { confirmWithinS: 1 });
    expect(confirmBefore).toBeDefined();
    await poll('the change is taken back', () => tuneHistory().entries[0]?.state === 'reverted', {
      deadlineMs: 120_000,
    });
    expect(await host.sysctls()).toEqual(before);
    expect(tuneHistory().entries[0]?.id).toBe(id);
  });

  it('stays when it is confirmed from another session', async () => {
    const { id } = await apply([somaxconn()], { confirmWithinS: 600 });
    const { code, stdout } = await host.sockdoc(['tune', 'confirm', '--json']);
    await expectValid('tune-confirm', JSON.parse(stdout));
    expect([code, JSON.parse(stdout).id, tuneHistory().entries[0]?.state]).toEqual([0, id, 'applied']);
    await poll(
      'the guard has ended',
      () =>
        execFileSync('sh', ['-c', 'cat /proc/[0-9]*/cmdline 2>/dev/null || true'], { encoding: 'utf8' }).includes(
          `guard\0${id}`,
        ) === false,
    );
    expect(host.sysctl('net.core.somaxconn')).toBe('7777');
    await revertEntry();
  });

  it('is taken back at once when the one who writes is killed under a guard', async () => {
    await host.apply([somaxconn(), sack()], { confirmWithinS: 600 }, { SOCKDOC_TUNE_KILL_AT: '11' });
    await poll('the change is taken back', () => tuneHistory().entries[0]?.state === 'reverted', {
      deadlineMs: 120_000,
    });
    expect(await host.sysctls()).toEqual(before);
  });
});
