import type { Change } from '../../../model/tune/results.js';
import type { Paper } from '../paper.js';

/** What is there for the next start of the host, and what of it will not hold. */
export function writePersisted(
  paper: Paper,
  { persisted = [], notPersisted = [] }: Pick<Change, 'persisted' | 'notPersisted'>,
): void {
  for (const { file, keys, overridden, note } of persisted) {
    paper.text(`${file}: ${keys.length === 1 ? '1 setting' : `${keys.length} settings`} for the next start`);
    if (note !== undefined) paper.text(note, { first: '  ! ', ink: 'yellow' });
    for (const { key, by, value } of overridden)
      paper.text(`${key} will not last: ${by} is applied later and sets ${value}`, { first: '  ! ', ink: 'yellow' });
  }
  for (const { key, reason } of notPersisted)
    paper.text(`${key} will not last: ${reason}`, { first: '  ! ', ink: 'yellow' });
}
