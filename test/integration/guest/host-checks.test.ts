import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { CheckDocument, Result } from '../../../src/model/results.js';
import { type GuestResult, guestUnavailable, runGuest } from '../../support/guest.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const reason = guestUnavailable();

const check = (name: string, ids: readonly string[], args = '') =>
  `(cd ${root} && node bin/run.js check --json --fail-on never ${ids.map((id) => `--only ${id}`).join(' ')} ${args} > /guest/${name}.json)`;

/** The guest's kernel loads no module by itself: its idea of a root directory has no modprobe. */
const DIAG = 'modprobe -a tcp_diag udp_diag unix_diag || exit 6';

/** Starts a program of fixtures/programs and waits until it is ready; its pid is in $NAME. */
const start = (name: string, command: string, program: string) => `
mkfifo /tmp/${name}.in; sleep 1000 > /tmp/${name}.in &
${command} /usr/bin/python3 -u ${root}fixtures/programs/${program} < /tmp/${name}.in > /tmp/${name}.out &
${name}=$!; echo $${name} > /guest/${name}.pid
for i in $(seq 600); do grep -q ready /tmp/${name}.out && break; sleep 0.1; done
grep -q ready /tmp/${name}.out || exit 9
`;

function documentOf(guest: GuestResult, name: string): CheckDocument {
  const document = JSON.parse(guest.read(`${name}.json`).toString());
  if (!document.results) throw new Error(`${name}: ${JSON.stringify(document)}`);
  return document;
}

const resultsOf = (guest: GuestResult, name: string, id: string): Result[] =>
  documentOf(guest, name).results.filter((result) => result.id === id);

const textOf = (guest: GuestResult, name: string) => guest.read(name).toString().trim();

describe.skipIf(reason)(`host checks in a guest${reason ? ` (skipped: ${reason})` : ''}`, () => {
  test('limits of the whole host: watches, open files, the ceiling of limits', { timeout: 430_000 }, async () => {
    const ids = ['epoll-watches', 'file-max', 'nr-open'];
    const guest = await runGuest({
      timeoutMs: 420_000,
      script: `
${DIAG}
${start('victim', 'setpriv --reuid=1000 --regid=1000 --clear-groups', 'descriptors.py 460 1000')}
${check('healthy', ids, '--window 0')}
echo watch 90 > /tmp/victim.in
for i in $(seq 600); do grep -q watching /tmp/victim.out && break; sleep 0.1; done
sysctl -qw fs.epoll.max_user_watches=100
${check('watches', ids, '--window 0')}
sysctl -qw fs.nr_open=640
${check('ceiling', ids, '--window 0')}
allocated=$(cut -f1 /proc/sys/fs/file-nr)
sysctl -qw fs.file-max=$((allocated * 100 / 93))
${check('files', ids, '--window 0')}
sysctl -n fs.file-max > /guest/max
`,
    });
    expect(guest.status, guest.stderr + guest.console).toBe(0);
    for (const id of ids) {
      const [result] = resultsOf(guest, 'healthy', id);
      expect(result?.status, `${id}: ${result?.summary}`).toBe('pass');
    }

    const victim = Number(textOf(guest, 'victim.pid'));
    const [watches] = resultsOf(guest, 'watches', 'epoll-watches');
    expect(watches).toMatchObject({ status: 'warn', summary: 'uid 1000 has 90 of 100 epoll watches (90 %)' });
    const [ceiling] = resultsOf(guest, 'ceiling', 'nr-open').filter((result) => result.subject?.pid === victim);
    expect(ceiling).toMatchObject({ status: 'warn', remedy: { tunes: [{ key: 'fs.nr_open', from: '640' }] } });
    const [files] = resultsOf(guest, 'files', 'file-max');
    expect(files?.status).toMatch(/warn|fail/);
    expect(files?.evidence.find((e) => e.key === 'maximum')?.value).toBe(Number(textOf(guest, 'max')));
  });

  test('memory and clock: swap, NUMA balancing, huge pages, a slow clocksource', { timeout: 430_000 }, async () => {
    const healthy = ['swap', 'numa-balancing', 'thp', 'steal'];
    const clock = '/sys/devices/system/clocksource/clocksource0';
    const guest = await runGuest({
      cpus: 2,
      numaNodes: 2,
      memoryMb: 1536,
      timeoutMs: 420_000,
      script: `
${DIAG}
modprobe zram && echo 128M > /sys/block/zram0/disksize && mkswap -q /dev/zram0 && swapon /dev/zram0 || exit 8
echo madvise > /sys/kernel/mm/transparent_hugepage/enabled
sysctl -qw kernel.numa_balancing=1
cat ${clock}/current_clocksource > /guest/clock
${start('free', '', 'descriptors.py 10 100')}
${check('healthy', healthy, '--window 1000 --profile latency')}
echo always > /sys/kernel/mm/transparent_hugepage/enabled
${start('bound', 'taskset -c 1', 'descriptors.py 10 100')}
${start('swapper', '', 'swapper.py 64 200')}
echo acpi_pm > ${clock}/current_clocksource
grep pswpin /proc/vmstat > /guest/before
${check('trouble', healthy, '--window 2000 --profile latency')}
grep pswpin /proc/vmstat > /guest/after
`,
    });
    expect(guest.status, guest.stderr + guest.console).toBe(0);
    for (const id of ['swap', 'numa-balancing', 'thp']) {
      const [result] = resultsOf(guest, 'healthy', id);
      expect(result?.status, `${id}: ${result?.summary}`).toBe('pass');
    }

    const [swap] = resultsOf(guest, 'trouble', 'swap');
    expect(swap?.status).toBe('warn');
    const counter = (name: string) => Number(textOf(guest, name).split(' ')[1]);
    const pages = Number(swap?.evidence.find((e) => e.key === 'pswpin' && e.scope === 'window')?.value);
    expect(pages).toBeGreaterThan(20);
    expect(pages).toBeLessThanOrEqual(counter('after') - counter('before'));

    const bound = Number(textOf(guest, 'bound.pid'));
    expect(resultsOf(guest, 'trouble', 'numa-balancing')).toMatchObject([{ status: 'warn', subject: { pid: bound } }]);
    expect(resultsOf(guest, 'trouble', 'thp')).toMatchObject([{ status: 'warn' }]);
    const slow = resultsOf(guest, 'trouble', 'steal').find((result) =>
      result.summary.startsWith('the clock is acpi_pm'),
    );
    expect(slow?.status).toBe('warn');
    const named = resultsOf(guest, 'healthy', 'steal').filter((result) => result.summary.startsWith('the clock is'));
    expect(named.length > 0).toBe(/hpet|acpi_pm|refined-jiffies/.test(textOf(guest, 'clock')));
  });

  test('cgroup v2: a quota that runs out, with the service that waits', { timeout: 430_000 }, async () => {
    const guest = await runGuest({
      timeoutMs: 420_000,
      script: `
${DIAG}
cc -O1 -o /tmp/pingpong ${root}fixtures/programs/pingpong.c || exit 8
cd /sys/fs/cgroup && echo +cpu +memory > cgroup.subtree_control && mkdir quota free || exit 7
for group in quota free; do
  sh -c "echo 0 > $group/cgroup.procs; exec /tmp/pingpong server 0 20000" > /tmp/$group.out &
  for i in $(seq 100); do grep -q ready /tmp/$group.out && break; sleep 0.1; done
  /tmp/pingpong client $(tr -dc 0-9 < /tmp/$group.out) 64 0 &
done
echo '5000 50000' > quota/cpu.max
grep nr_throttled quota/cpu.stat > /guest/before
${check('quota', ['throttling'], '--window 2000')}
grep nr_throttled quota/cpu.stat > /guest/after
`,
    });
    expect(guest.status, guest.stderr + guest.console).toBe(0);
    const results = resultsOf(guest, 'quota', 'throttling');
    expect(results).toMatchObject([{ status: 'warn', subject: { cgroup: '/quota', comm: 'pingpong' } }]);
    const counter = (name: string) => Number(textOf(guest, name).split(' ')[1]);
    const seen = Number(results[0]?.evidence.find((e) => e.key === 'nr_throttled' && e.scope === 'window')?.value);
    expect(seen).toBeGreaterThan(0);
    expect(seen).toBeLessThanOrEqual(counter('after') - counter('before'));
    expect(results[0]?.evidence[0]?.source).toBe('/sys/fs/cgroup/quota/cpu.stat');
  });
});
