import { findInitialNetns, findNetns, sameNetns } from '../../control/settings/netns.js';
import type { NetnsIdentity } from '../../model/tune/plan.js';
import { notPossible, usageError } from '../../support/errors.js';
import { bootId } from './boot.js';
import { type Entry, isOpen } from './journal/entry.js';
import { type Listed, listEntries } from './journal/files.js';

/** The entry that was asked for, or the newest one of which something may be left; undefined when there is none. */
export function chooseEntry(id: string | undefined): Entry | undefined {
  const entries = listEntries();
  if (id === undefined) return entries.find(({ entry }) => entry && isOpen(entry) && !vanished(entry))?.entry;
  const found = entries.filter((listed) => listed.id === id || (id.length >= 4 && listed.id.startsWith(id)));
  if (found.length !== 1) throw unknownId(id, entries, found);
  const entry = found[0]?.entry;
  if (entry) return entry;
  throw notPossible(`the journal of ${found[0]?.id} is damaged: not even its first line can be read`, {
    next: 'Nothing can be said of what it changed. The other entries are not affected: sockdoc tune history',
  });
}

function unknownId(id: string, entries: readonly Listed[], found: readonly Listed[]) {
  const known = entries.slice(0, 5).map((listed) => listed.id);
  return usageError(
    found.length > 1 ? `"${id}" is the beginning of more than one change` : `there is no change "${id}"`,
    {
      next:
        known.length > 0
          ? `The newest are: ${known.join(', ')}\nAll: sockdoc tune history`
          : 'Nothing was changed yet.',
    },
  );
}

/** Settings do not outlast a restart of the host; only those of --persist come again. */
export const vanished = (entry: Entry): boolean => entry.header.bootId !== bootId() && entry.files.length === 0;

/**
 * The path of the namespace that an entry was written in, "" for our own. After a restart of the host that is the initial
 * one, with another number: only there files set it again. Throws when it cannot be entered.
 */
export async function netnsOf({ header }: Entry): Promise<string> {
  const path = await (header.bootId === bootId() ? findNetns(header.netns) : findInitialNetns());
  if (path !== undefined) return path;
  const { id, name, initial } = header.netns;
  const which = initial ? 'the initial network namespace' : `network namespace ${name ?? `net:[${id}]`}`;
  throw notPossible(`${which}, in which ${header.id} was written, is gone or cannot be entered from here`, {
    next: initial
      ? 'Run it in the initial network namespace, as root.'
      : 'When it is gone, its settings went with it and nothing is left to take back. Else run it as root, or in that namespace.',
  });
}

/** Later changes of the same settings that are still there: taken back first, so that each finds what it wrote. */
export function requireNewest(entry: Entry): void {
  const keys = new Set(entry.header.rows.map(({ key }) => key));
  const later = listEntries().find(
    (other) =>
      other.id > entry.header.id &&
      other.entry &&
      isOpen(other.entry) &&
      sameNetns(other.entry.header.netns, entry.header.netns) &&
      other.entry.header.bootId === entry.header.bootId &&
      other.entry.header.rows.some(({ key }) => keys.has(key)),
  );
  if (!later) return;
  throw usageError(`${later.id}, made later, changes some of the same settings as ${entry.header.id}`, {
    next: `Take that one back first: sockdoc tune revert ${later.id}`,
  });
}

/**
 * A change here or of the whole host that was cut off, or waits to be confirmed: what it left behind is not what another
 * should build on. In words, with what to do.
 */
export function unsettled(here: NetnsIdentity): { message: string; next: string } | undefined {
  const open = listEntries().find(
    ({ entry }) =>
      (entry?.state === 'unfinished' || entry?.state === 'unconfirmed') &&
      ((entry.header.bootId === bootId() &&
        (sameNetns(entry.header.netns, here) || entry.header.rows.some(({ scope }) => scope === 'host'))) ||
        entry.files.length > 0),
  );
  if (open?.entry?.state === 'unconfirmed')
    return {
      message: `the change ${open.id} waits to be confirmed`,
      next: `sockdoc tune confirm ${open.id}, or sockdoc tune revert ${open.id}`,
    };
  return (
    open && {
      message: `an earlier change (${open.id}) was cut off before its end`,
      next: `Take it back first: sockdoc tune revert ${open.id}`,
    }
  );
}
