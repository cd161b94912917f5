import { assignmentsOf, sameValue } from '../../checks/sysctl-winner.js';
import { readSettings } from '../../control/settings/read.js';
import type { Owner } from '../../model/tune/plan.js';
import type { TuneVerifyDocument } from '../../model/tune/results.js';
import { readProbes } from '../../probes/files.js';
import { settingOwners } from '../../probes/host/owners.js';
import { sysctlFiles } from '../../probes/sysctl-files.js';
import { notPossible } from '../../support/errors.js';
import { writerOf } from '../../tunables/owner.js';
import { chooseEntry, netnsOf, vanished } from './choose.js';
import type { Entry } from './journal/entry.js';
import { sameSetting } from './values.js';

/** Whether a change (the newest that is still there, unless named) still holds, and who changed what does not. */
export async function verifyEntry({ id }: { id?: string | undefined } = {}): Promise<TuneVerifyDocument> {
  const entry = chooseEntry(id);
  const head = { schemaVersion: 1, command: 'tune verify' } as const;
  if (!entry) return { ...head, ok: true, id: null, items: [] };
  if (vanished(entry))
    throw notPossible(`${entry.header.id} was written before the last start of the host, and did not outlast it`, {
      next: 'What lasts is made with --persist. All changes: sockdoc tune history',
    });
  const wrote = entry.steps.flatMap(({ row, after }) => {
    const expected = after?.[row.key];
    return expected === undefined ? [] : [{ key: row.key, expected }];
  });
  const readings = await readSettings(
    wrote.map(({ key }) => key),
    await netnsOf(entry),
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
    return writerOf(key, parts.programs ?? []) ?? null;
  };
}
