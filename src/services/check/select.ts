import type { Check } from '../../checks/check.js';
import { usageError } from '../../support/errors.js';
import { nearest } from '../../support/nearest.js';

/** The checks that --only and --skip leave, in the order of the catalogue. */
export function selectChecks(
  catalogue: readonly Check[],
  { only, skip }: { only: readonly string[]; skip: readonly string[] },
): Check[] {
  for (const id of [...only, ...skip]) requireKnown(id, catalogue);
  const chosen = catalogue.filter(({ id }) => (only.length === 0 || only.includes(id)) && !skip.includes(id));
  if (chosen.length === 0)
    throw usageError('no check is left: every one that --only names is also named by --skip', {
      next: 'Example: sockdoc check --only listen-overflow --only time-wait',
    });
  return chosen;
}

/** The check of that id, or an error that names the ids most like it. */
export function requireKnown(id: string, catalogue: readonly Check[]): Check {
  const found = catalogue.find((check) => check.id === id);
  if (found) return found;
  const like = nearest(
    id,
    catalogue.map((check) => check.id),
  );
  throw usageError(`there is no check "${id}"`, {
    next: `${like.length > 0 ? `Did you mean: ${like.join(', ')}?\n` : ''}All of them: sockdoc check --list`,
  });
}
