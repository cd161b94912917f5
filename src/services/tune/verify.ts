import { assignmentsOf, sameValue } from '../../checks/sysctl-winner.js';
import { readSettings } from '../../control/settings/read.js';
import { settingOf } from '../../model/tune/keys.js';
import type { Owner } from '../../model/tune/plan.js';
import type { TuneVerifyDocument } from '../../model/tune/results.js';
import { readProbes } from '../../probes/files.js';
import { settingOwners } from '../../probes/host/owners.js';
import { sysctlFiles } from '../../probes/sysctl-files.js';
import { bootId } from './boot.js';
import { chooseEntry, netnsOf } from './choose.js';
import type { Entry } from './journal/entry.js';
import { sameSetting } from './values.js';

/** Whether a change (the newest that is still there, unless named) still holds, and who changed what does not. */
export async function verifyEntry({ id }: { id?: string | undefined } = {}): Promise<TuneVerifyDocument> {
  const entry = chooseEntry(id);
  const head = { schemaVersion: 1, command: 'tune verify' } as const;
  if (!entry) return { ...head, ok: true, id: null, items: [] };
  const wrote = entry.steps.flatMap(({ row, after }) => {
    const expected = after?.[row.key];
    return expected === undefined ? [] : [{ key: row.key, expected }];
  });
  const readings = await readSettings(
    wrote.map(({ key }) => key),
    await netnsToRead(entry),
  );
  const whose = await owners(entry);
  const items = wrote.map(({ key, expected }) => {
    const reading = readings.get(key);
    const actual = reading && 'value' in reading ? reading.value : null;
    const ok = actual !== null && sameSetting(key, actual, expected);
    return { key, expected, actual, ok, owner: ok || actual === null ? null : whose(key, actual) };
  });
  return { ...head, ok: entry.state !== 'unfinished' && items.every(({ ok }) => ok), id: entry.header.id, items };
}

const netnsToRead = (entry: Entry): Promise<string> | string =>
  entry.header.bootId === bootId() ? netnsOf(entry) : '';

/**
 * Who may have written the value that a key has: a file that sets just this value, else a program that is known to write
 * such keys. A write leaves no trace of its author, so this is what speaks for somebody, and null when nothing does.
 */
async function owners(entry: Entry): Promise<(key: string, actual: string) => Owner | null> {
  const { parts } = await readProbes({ files: sysctlFiles, programs: settingOwners });
  return (key, actual) => {
    const line =
      entry.header.netns.initial && parts.files
        ? assignmentsOf(parts.files, 'procps', key).findLast(
            ({ value }) => value !== undefined && sameValue(value, actual),
          )
        : undefined;
    if (line) return { name: `${line.file}:${line.line}`, running: false };
    const program = parts.programs?.find(({ name }) => writes(name, key));
    return program ? { ...program, running: true } : null;
  };
}

/** What the programs that we know write while they run. */
const WRITES: Readonly<Record<string, RegExp>> = {
  tuned: /^(net|vm|kernel|fs)\.|^\/sys\/|^ethtool:/,
  bpftune: /^net\./,
  irqbalance: /^\/proc\/irq\//,
  tlp: /^\/sys\/devices\/system\/cpu\/|^vm\./,
  'power-profiles-daemon': /^\/sys\/devices\/system\/cpu\//,
  kubelet: /^(vm\.overcommit_memory|vm\.panic_on_oom|kernel\.panic(_on_oops)?|kernel\.keys\..*)$/,
  'kube-proxy': /^net\.(netfilter\.nf_conntrack_|ipv4\.(conf\.|vs\.|ip_forward))/,
  cilium: /^net\.(core\.bpf|ipv[46]\.conf\.|ipv[46]\.ip_forward)/,
  docker: /^net\.(ipv4\.ip_forward|ipv[46]\.conf\.|bridge\.)/,
};

const writes = (program: string, key: string): boolean =>
  settingOf(key) !== undefined && (WRITES[program]?.test(key) ?? false);
