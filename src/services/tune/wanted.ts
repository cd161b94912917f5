import { type Reading, readSettings } from '../../control/settings/read.js';
import { mayWrite } from '../../control/settings/write.js';
import { settingOf } from '../../model/tune/keys.js';
import type { NetnsIdentity, PlanRow } from '../../model/tune/plan.js';
import type { Skipped } from '../../model/tune/results.js';
import { notPermitted, notPossible, usageError } from '../../support/errors.js';
import { coupledKeys } from './coupled.js';
import { raises, reasonOf, sameSetting } from './values.js';

/** A row that is going to be written. */
export interface Wanted extends PlanRow {
  coupled: string[];
}

interface Where {
  netns: string;
  identity: NetnsIdentity;
  override?: boolean;
  host?: boolean;
}

/** The rows that can be written and are still to be, each read again; the others with the reason. Writes nothing. */
export async function wantedRows(
  rows: readonly PlanRow[],
  where: Where,
): Promise<{ wanted: Wanted[]; skipped: Skipped[] }> {
  requireSound(rows);
  const readings = await readSettings(
    rows.map(({ key }) => key),
    where.netns,
  );
  const allowed = await allowedCongestionControls(where);
  const wanted: Wanted[] = [];
  const skipped: Skipped[] = [];
  let denied = 0;
  for (const row of rows) {
    const reading = readings.get(row.key) as Reading;
    const why = whyNot(row, reading, where) ?? (row.key === CONGESTION_CONTROL ? allowed(row.to) : undefined);
    const refused = why === undefined ? await mayWrite(row.key, where.netns) : {};
    const reason = why ?? (refused.errno === undefined ? undefined : reasonOf(refused.errno, row.kind));
    if (reason === undefined) wanted.push(await withReading(row, reading, where.netns));
    else skipped.push({ key: row.key, reason });
    if (refused.errno === 'EACCES' || refused.errno === 'EPERM') denied++;
  }
  // To root a file that may not be written is one that this namespace only shows.
  if (denied > 0 && wanted.length === 0 && process.geteuid?.() !== 0)
    throw notPermitted(`none of these settings may be written: permission denied (${skipped[0]?.key})`, {
      next: 'It needs root, or CAP_NET_ADMIN in the user namespace that owns the network namespace: sudo sockdoc tune',
    });
  if (!where.override) refuseOwned(wanted);
  return { wanted, skipped };
}

const CONGESTION_CONTROL = 'net.ipv4.tcp_congestion_control';

/** Other namespaces than the initial one may choose only among those that everybody may use. Gives why not this one. */
async function allowedCongestionControls({ netns, identity }: Where): Promise<(name: string) => string | undefined> {
  if (identity.initial) return () => undefined;
  const key = 'net.ipv4.tcp_allowed_congestion_control';
  const reading = (await readSettings([key], netns)).get(key);
  if (!reading || 'errno' in reading) return () => undefined;
  const names = reading.value.split(' ');
  return (name) =>
    names.includes(name)
      ? undefined
      : `a network namespace of its own may only use ${names.join(', ')} (${key}, which the initial one sets)`;
}

function requireSound(rows: readonly PlanRow[]): void {
  const seen = new Set<string>();
  for (const { key, kind, to } of rows) {
    const wrong =
      settingOf(key)?.kind !== kind
        ? `"${key}" is no ${kind} setting`
        : seen.has(key)
          ? `"${key}" is there twice`
          : /[\n\r\0]/.test(to) || to.length > 4000
            ? `the value of "${key}" is not one line`
            : undefined;
    if (wrong)
      throw usageError(`the plan is not sound: ${wrong}`, { next: 'Make it anew: sockdoc tune --save-plan FILE' });
    seen.add(key);
  }
}

/** Why a row is not to be written; undefined when it is. */
function whyNot(row: PlanRow, reading: Reading, { identity, host }: Where): string | undefined {
  // A process has its limits for itself, in whatever namespace it is.
  if (row.scope === 'host' && row.kind !== 'limit' && !identity.initial && !host)
    return 'it belongs to the whole host, and this is a network namespace of its own: --host writes it too';
  if ('errno' in reading) return reasonOf(reading.errno, row.kind);
  if (row.startTicks !== undefined && reading.startTicks !== row.startTicks) return reasonOf('ESRCH', row.kind);
  if (sameSetting(row.key, reading.value, row.to)) return 'it is so already';
  if (row.raiseOnly && !raises(reading.value, row.to))
    return `it is ${reading.value} now: ${row.to} would lower it, and this row only raises`;
  if (!sameSetting(row.key, reading.value, row.from))
    return `it is "${reading.value}" now, and the plan was made for "${row.from}"`;
  return undefined;
}

async function withReading(row: PlanRow, reading: Reading, netns: string): Promise<Wanted> {
  const startTicks =
    'startTicks' in reading && reading.startTicks !== undefined ? { startTicks: reading.startTicks } : {};
  return { ...row, ...startTicks, coupled: await coupledKeys(row.key, netns, row.coupled) };
}

/** What a running program owns it will write again, and each would undo the other. */
function refuseOwned(rows: readonly PlanRow[]): void {
  const owned = rows.filter(({ owner }) => owner?.running);
  if (owned.length === 0) return;
  const list = owned.map(
    ({ key, owner }) => `${key} (${owner?.name}${owner?.pid === undefined ? '' : `, pid ${owner.pid}`})`,
  );
  throw notPossible(`running programs own ${list.join(', ')}: nothing was changed`, {
    next: `Set it there, leave it out (${owned.map(({ key }) => `--skip ${key}`).join(' ')}), or write it all the same: --override`,
  });
}
