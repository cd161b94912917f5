import type { Result, Subject } from '../../model/results.js';
import type { Config, Severity, Suppression } from './types.js';

const isSeverity = (status: Result['status']): status is Severity =>
  status === 'info' || status === 'warn' || status === 'fail';

/**
 * Lays the configuration over what the checks said: severities first, then suppressions. `day` ("2026-12-31") is the day
 * of the snapshot, so that a saved one gives the same answer whenever it is judged.
 */
export function applyConfig(results: readonly Result[], config: Config, day: string): Result[] {
  const live = config.suppressions.filter((suppression) => !isExpired(suppression, day));
  return results.map((result) => suppressed(withSeverity(result, config), live));
}

/** A suppression that no longer holds is a finding of its own: it must be renewed or removed. */
export function expiredSuppressions(config: Config, day: string, ids: ReadonlySet<string>): Result[] {
  return config.suppressions
    .filter((suppression) => isExpired(suppression, day) && ids.has(suppression.id))
    .map(({ id, reason, expires, file, line }) => ({
      id: 'suppression-expired',
      title: 'Suppression that has expired',
      category: 'configuration',
      status: 'warn',
      summary: `the suppression of ${id} in ${file}:${line} expired on ${expires}`,
      evidence: [{ source: file, key: `suppression of ${id}`, value: `${reason} (until ${expires})`, unit: '' }],
      subject: { file: `${file}:${line}`, key: id },
      why: 'What it hid is shown again. Somebody accepted it for a time, and that time is over.',
      remedy: {
        summary: `Mend what ${id} reports and remove the entry, or renew it with a later day`,
        commands: [],
        tunes: [],
        risk: 'Renewing it hides the finding again.',
        undo: 'Put the entry back.',
        needs: 'nothing',
      },
      references: ['docs/configuration.md'],
    }));
}

function withSeverity(result: Result, config: Config): Result {
  const rule = Object.hasOwn(config.severity, result.id) ? config.severity[result.id] : undefined;
  if (rule === undefined || !isSeverity(result.status)) return result;
  return { ...result, status: typeof rule === 'string' ? rule : (rule[result.status] ?? result.status) };
}

function suppressed(result: Result, suppressions: readonly Suppression[]): Result {
  if (result.status === 'pass' || result.status === 'not-applicable') return result;
  const found = suppressions.find(({ id, subject }) => id === result.id && matches(subject, result.subject));
  if (!found) return result;
  return { ...result, suppressed: { reason: found.reason, ...(found.expires ? { expires: found.expires } : {}) } };
}

function matches(wanted: Subject | undefined, actual: Subject | undefined): boolean {
  if (!wanted) return true;
  return Object.entries(wanted).every(([field, value]) => {
    const found = actual?.[field as keyof Subject];
    return typeof value === 'string' && typeof found === 'string' ? globMatches(value, found) : value === found;
  });
}

/** `*` stands for anything. Matched piece by piece, without a regular expression that could take for ever. */
function globMatches(pattern: string, text: string): boolean {
  const [head = '', ...rest] = pattern.split('*');
  const tail = rest.pop();
  if (tail === undefined) return pattern === text;
  if (!text.startsWith(head)) return false;
  let from = head.length;
  for (const piece of rest) {
    const at = text.indexOf(piece, from);
    if (at === -1) return false;
    from = at + piece.length;
  }
  return text.length - from >= tail.length && text.endsWith(tail);
}

/** The day of expiry itself still counts. */
const isExpired = ({ expires }: Suppression, day: string) => expires !== undefined && day > expires;
