import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { PlanRow } from '../../../src/model/tune/plan.js';
import type { Change, TuneRevertDocument, TuneVerifyDocument } from '../../../src/model/tune/results.js';
import { RULE_FILE } from '../../../src/services/tune/persist/rule.js';
import { SYSCTL_FILE } from '../../../src/services/tune/persist/sysctl-file.js';
import { UNIT_FILE, UNIT_LINK } from '../../../src/services/tune/persist/unit.js';
import { tunables } from '../../../src/tunables/catalogue/index.js';
import { type GuestOptions, type GuestResult, guestUnavailable, runGuest } from '../../support/guest.js';
import { withNetns } from '../../support/live.js';
import { rowOf } from '../../support/tuning.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const reason = guestUnavailable();
const HUGE = '/sys/kernel/mm/transparent_hugepage/enabled';
const LATE_FILE = '/etc/sysctl.d/zz-late.conf';

/** eth0 has four queues, "card" is a card with rings and coalescing of its own, named by udev as by us. */
const CARDS = { cpus: 2, kernel: 'net.ifnames=0' };
const queuesOf = (queue: string) => `/sys/class/net/eth0/queues/rx-0/${queue}`;

/** Where it begins → where it goes, and what that is read by. */
const SETTINGS: readonly (readonly [key: string, from: string, to: string])[] = [
  ['ethtool:eth0:channels.combined', '1', '4'],
  [queuesOf('rps_cpus'), '0', '3'],
  [queuesOf('rps_flow_cnt'), '0', '4096'],
  ['net.core.rps_sock_flow_entries', '0', '32768'],
  ['ethtool:card:rings.rx', '256', '1024'],
  ['ethtool:card:rings.tx', '256', '512'],
  ['ethtool:card:coalescing.rxUsecs', '3', '50'],
  ['ethtool:card:features.rx-gro', 'on', 'off'],
  ['/sys/class/net/card/gro_flush_timeout', '0', '20000'],
  ['ethtool:late0:features.rx-gro', 'off', 'on'],
  ['net.ipv4.conf.late0.rp_filter', '0', '2'],
  ['net.netfilter.nf_conntrack_max', '16384', '99999'],
  ['net.core.somaxconn', '4096', '8888'],
  ['vm.swappiness', '60', '10'],
  [HUGE, 'always', 'madvise'],
];
const rows: PlanRow[] = SETTINGS.map(([key, from, to]) => rowOf(key, from, to));
const before = Object.fromEntries(SETTINGS.map(([key, from]) => [key, from]));
const after = Object.fromEntries(SETTINGS.map(([key, , to]) => [key, to]));

/** Prints all of them as independent programs have it, by as few as can be: each takes its time to start there. */
const TOPICS: Readonly<Record<string, string>> = { channels: '-l', rings: '-g', coalescing: '-c', features: '-k' };
const ofEthtool = [...new Set(SETTINGS.flatMap(([key]) => /^ethtool:.*:[a-z]+/.exec(key) ?? []))];
const sysctls = SETTINGS.flatMap(([key]) => (/^(net|vm)\./.test(key) ? [key] : []));
const paths = SETTINGS.flatMap(([key]) => (key.startsWith('/') ? [key] : []));
const SHOW = `show() {
${ofEthtool
  .map((section) => {
    const [, link, topic = ''] = section.split(':');
    return `echo "@${section}"; ethtool ${TOPICS[topic]} ${link}`;
  })
  .join('\n')}
echo @; sysctl -e ${sysctls.join(' ')}; grep -H '' ${paths.join(' ')}
} 2> /dev/null
`;

/** What SHOW printed into a file: the value of each setting that was there. */
function shownIn(guest: GuestResult, name: string): Record<string, string> {
  const text = guest.read(name).toString();
  return Object.fromEntries(
    SETTINGS.flatMap(([key]) => {
      const value = valueIn(text, key);
      return value === undefined ? [] : [[key, value]];
    }),
  );
}

function valueIn(text: string, key: string): string | undefined {
  const after = (head: string, within = text) =>
    within
      .split('\n')
      .findLast((line) => line.startsWith(head))
      ?.slice(head.length)
      .trim();
  if (key.startsWith('/')) return after(`${key}:`)?.replace(/.*\[(.*)\].*/, '$1');
  const [, section, name = ''] = /^(ethtool:.*:[a-z]+)\.(.*)$/.exec(key) ?? [];
  if (section === undefined) return after(`${key} = `);
  const titles: Readonly<Record<string, string>> = { rxUsecs: 'rx-usecs', 'rx-gro': 'generic-receive-offload' };
  const title = titles[name] ?? (name === 'combined' ? 'Combined' : name.toUpperCase());
  // The last one: before it stands what the card could.
  return after(`${title}:`, text.split(`@${section}\n`)[1]?.split('\n@')[0] ?? '');
}

const OURS = [SYSCTL_FILE, RULE_FILE, UNIT_FILE, UNIT_LINK];
const KEPT = [...OURS, LATE_FILE, '/var/lib/sockdoc'].map((path) => path.slice(1));
const TUNE = `node ${root}test/support/tune-in-guest.mjs /guest/steps.json > /guest/answer || exit 9`;

/** As somebody has set this host up: all that comes before the change; then the change and its undoing. */
const FIRST = `${SHOW}
sysctl -e $(cat /guest/keys) > /guest/defaults
uname -r > /guest/release
modprobe -a e1000 nf_conntrack veth || exit 6
ip link set eth1 name card && ip link add late0 type veth peer name late0p || exit 7
ethtool -L eth0 combined 1 && ethtool -K card gro on && sysctl -qw net.netfilter.nf_conntrack_max=16384 || exit 8
echo always > ${HUGE}; sysctl -qw net.ipv4.conf.late0.rp_filter=0 vm.swappiness=60
echo 'vm.swappiness = 60' > ${LATE_FILE}
show > /guest/at-first
${TUNE}
show > /guest/at-last
ls ${OURS.join(' ')} > /guest/left 2> /dev/null
exit 0
`;
const WHILE_CHANGED = `${SHOW}
show > /guest/changed
tar -C / -cf /guest/kept.tar ${KEPT.join(' ')}
`;

/** The same host at its next start: interfaces and modules come by and by, one of them under another name. */
const PREPARE = `tar -C /new -xf /new/guest/kept.tar
printf '[Match]\\nMACAddress=52:54:00:12:34:11\\n[Link]\\nName=card\\n' > /new/etc/systemd/network/10-card.link
`;
const NEXT = `${SHOW}
udevadm settle
show > /guest/started
modprobe -a veth nf_conntrack
ip link add other0 type veth peer name other0p && ip link set other0 name late0 || exit 7
udevadm settle
show > /guest/complete
${TUNE}
show > /guest/at-last
ls ${OURS.join(' ')} > /guest/left 2> /dev/null
exit 0
`;

/** Sysctls whose default is compiled in. */
const known = tunables.filter(
  ({ kind, key, default: byDefault }) => kind === 'sysctl' && byDefault && !key.includes('*'),
);

/** Nobody has set anything yet: what the catalogue says of this kernel must be what it does. */
function expectDefaults(guest: GuestResult): void {
  const kernel = { release: guest.read('release').toString().trim(), memoryBytes: 2 ** 30, pageBytes: 4096 };
  const lines = guest.read('defaults').toString().trim().split('\n');
  const read = new Map(lines.map((line) => line.split(' = ') as [string, string]));
  const compared = known.flatMap(({ key, default: byDefault }) => {
    const [is, told] = [read.get(key)?.trim().replace(/\s+/g, ' '), byDefault?.(kernel)];
    return is === undefined || told === undefined ? [] : [[key, is, told] as const];
  });
  for (const [key, is, told] of compared) expect([key, told]).toEqual([key, is]);
  expect(compared.length).toBeGreaterThan(20);
}

/** What the engine said of it. */
const answerOf = (guest: GuestResult) =>
  JSON.parse(guest.read('answer').toString()) as {
    applied: Change;
    verified: TuneVerifyDocument;
    reverted: TuneRevertDocument;
  };

const bootWithCards = (options: Pick<GuestOptions, 'script' | 'systemd' | 'files'>) =>
  withNetns(async (ns) => {
    await ns.run('ip', 'tuntap', 'add', 'tap0', 'mode', 'tap', 'multi_queue');
    return runGuest({
      ...CARDS,
      ...options,
      netns: ns.name,
      nics: [
        { backend: 'tap,ifname=tap0,script=no,downscript=no,queues=4', queues: 4 },
        { backend: 'user,restrict=on', device: 'e1000-82545em' },
      ],
      timeoutMs: 400_000,
    });
  });

describe.skipIf(reason)(`tune on a whole host, in a guest${reason ? ` (skipped: ${reason})` : ''}`, () => {
  test('cards, modules and files: set, verified, taken back exactly; and after a start with systemd', {
    timeout: 850_000,
  }, async () => {
    const first = await bootWithCards({
      script: FIRST,
      files: {
        keys: known.map(({ key }) => key).join(' '),
        'steps.json': JSON.stringify({ plan: { profile: 'general', rows }, between: WHILE_CHANGED }),
      },
    });
    expect(first.status, first.stderr + first.console).toBe(0);
    expectDefaults(first);
    expect(shownIn(first, 'at-first')).toEqual(before);
    const { applied, verified, reverted } = answerOf(first);
    expect([applied.failed, applied.skipped]).toEqual([undefined, []]);
    expect(shownIn(first, 'changed')).toEqual(after);
    expect(applied.persisted?.[0]?.overridden).toEqual([{ key: 'vm.swappiness', by: `${LATE_FILE}:1`, value: '60' }]);
    expect([verified.ok, reverted.kept]).toEqual([true, []]);
    expect(first.read('at-last').toString()).toBe(first.read('at-first').toString());
    expect(first.read('left').toString()).toBe('');

    const next = await bootWithCards({
      script: NEXT,
      systemd: { prepare: PREPARE },
      files: { 'kept.tar': first.read('kept.tar'), 'steps.json': '{}' },
    });
    expect(next.status, next.stderr + next.console).toBe(0);
    const late = ['ethtool:late0:features.rx-gro', 'net.ipv4.conf.late0.rp_filter', 'net.netfilter.nf_conntrack_max'];
    const lasting = { ...after, 'vm.swappiness': '60' };
    expect(shownIn(next, 'started')).toMatchObject(
      Object.fromEntries(Object.entries(lasting).filter(([key]) => !late.includes(key))),
    );
    expect(shownIn(next, 'complete')).toEqual(lasting);
    const later = answerOf(next);
    expect(later.verified.items.filter(({ ok }) => !ok)).toMatchObject([
      { key: 'vm.swappiness', expected: '10', actual: '60', owner: { name: `${LATE_FILE}:1` } },
    ]);
    expect(later.reverted.kept).toEqual([]);
    expect(shownIn(next, 'at-last')).toEqual(before);
    expect(next.read('left').toString()).toBe('');
  });
});
