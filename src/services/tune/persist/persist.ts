import { existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { sameValue, winner } from '../../../checks/sysctl-winner.js';
import type { NetnsIdentity } from '../../../model/tune/plan.js';
import type { Persisted, Skipped } from '../../../model/tune/results.js';
import { readProbes } from '../../../probes/files.js';
import { sysctlFiles } from '../../../probes/sysctl-files.js';
import { openAtomic } from '../../../support/atomic-file.js';
import { notPossible, SockdocError } from '../../../support/errors.js';
import { crashPoint } from '../crash-point.js';
import type { Step } from '../journal/entry.js';
import { appendRecord } from '../journal/files.js';
import type { FileChange, Header } from '../journal/records.js';
import { type Kept, withoutChange } from './lines.js';
import { FILES, type OwnFile, whyNot } from './places.js';
import { SYSCTL_FILE } from './sysctl-file.js';
import { UNIT_FILE, UNIT_LINK, UNIT_TARGET } from './unit.js';

/** What is read at the start of a host is for its initial namespace. Throws for any other. */
export function requirePersistable(netns: NetnsIdentity): void {
  if (netns.initial) return;
  throw notPossible('--persist is for the initial network namespace: files of the start do not reach any other', {
    next: 'Leave --persist out, and tune where the namespace is made.',
  });
}

/** What lasts now, by files; and what cannot. */
interface Lasting {
  persisted: Persisted[];
  notPersisted: Skipped[];
}

/** Writes what makes these steps outlast a restart, journalled before. Throws SockdocError when a file cannot be written. */
export async function persistSteps({ id }: Pick<Header, 'id'>, steps: readonly Step[]): Promise<Lasting> {
  const settings = steps.flatMap(({ row: { key }, after }): Kept[] => {
    const value = after?.[key];
    return value === undefined ? [] : [{ key, value }];
  });
  const used = FILES.map((own) => ({ own, kept: settings.filter((one) => own.takes(one)) })).filter(
    ({ kept }) => kept.length > 0,
  );
  const files = used.flatMap(({ own, kept }) => changesOf(own, kept));
  const persisted = used.map(({ own: { file, note }, kept }) => ({
    file,
    keys: kept.map(({ key }) => key),
    overridden: [],
    ...(note === undefined ? {} : { note }),
  }));
  appendRecord(id, { type: 'persisting', files, persisted });
  writeAll(files);
  const lost = settings.filter((one) => !used.some(({ kept }) => kept.includes(one)));
  return {
    persisted: await Promise.all(
      persisted.map(async (one, at) =>
        one.file === SYSCTL_FILE ? { ...one, overridden: await overridden(used[at]?.kept ?? []) } : one,
      ),
    ),
    notPersisted: lost.map((one) => ({ key: one.key, reason: whyNot(one) })),
  };
}

/** All of them, or none. */
function writeAll(files: readonly FileChange[]): void {
  try {
    for (const one of files) {
      crashPoint();
      writeFile(one.file, one.after, one.link);
      crashPoint();
    }
  } catch (error) {
    restoreFiles(files);
    throw error;
  }
}

function changesOf(own: OwnFile, kept: readonly Kept[]): FileChange[] {
  const changed = change(own.file, (text) => own.with(text, kept));
  if (own.file !== UNIT_FILE || existsSync(UNIT_LINK)) return [changed];
  return [changed, { file: UNIT_LINK, before: null, after: UNIT_TARGET, link: true }];
}

function change(file: string, make: (text: string | null) => string): FileChange {
  const before = textOf(file);
  return { file, before, after: make(before) };
}

function textOf(file: string): string | null {
  const info = lstatSync(file, { throwIfNoEntry: false });
  if (!info) return null;
  return info.isSymbolicLink() ? readlinkSync(file) : readFileSync(file, 'utf8');
}

function writeFile(file: string, text: string, link = false): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    if (link) symlinkSync(text, file);
    else openAtomic(file, 0o644).commit(Buffer.from(text));
  } catch (error) {
    if (error instanceof SockdocError && error.kind === 'not-permitted') throw error;
    throw notPossible(`${file} was not written: ${(error as Error).message}`, { cause: error });
  }
}

/** Settings of ours that a file which is applied later gives another value. */
async function overridden(sysctls: readonly Kept[]): Promise<Persisted['overridden']> {
  const { parts } = await readProbes({ sysctlFiles });
  const files = parts.sysctlFiles;
  if (!files) return [];
  return sysctls.flatMap(({ key, value }) => {
    const winners = (['systemd', 'procps'] as const).map((tool) => winner(files, tool, key));
    const other = winners.find((line) => line?.value !== undefined && !sameValue(line.value, value));
    return other ? [{ key, by: `${other.file}:${other.line}`, value: other.value as string }] : [];
  });
}

/** Takes the files back to what they were; what somebody else has written into them stays. */
export function restoreFiles(files: readonly FileChange[]): { restored: string[]; kept: Skipped[] } {
  const restored: string[] = [];
  const kept: Skipped[] = [];
  for (const one of files) {
    const text = textOf(one.file);
    // The link stays for as long as other changes have lines in the unit.
    if (text === null || text === one.before || (one.link && existsSync(UNIT_FILE))) continue;
    try {
      crashPoint();
      restoreFile(one, text);
      crashPoint();
      restored.push(one.file);
    } catch (error) {
      kept.push({ key: one.file, reason: (error as Error).message });
    }
  }
  return { restored, kept };
}

function restoreFile({ file, before, after, link }: FileChange, text: string): void {
  const rest = link ? '' : withoutChange(text, before, after);
  const nothing = rest === '' || (FILES.find((own) => own.file === file)?.isEmpty(rest) ?? false);
  if (nothing) unlinkSync(file);
  else writeFile(file, rest);
  if (nothing && file === UNIT_FILE && textOf(UNIT_LINK) === UNIT_TARGET) unlinkSync(UNIT_LINK);
}
