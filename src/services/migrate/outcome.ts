import type { MigrateDocument } from '../../model/migrate.js';
import { EXIT } from '../../support/errors.js';

/** 0 when every named process is as it was asked for; 1 when something was done; else 3 where permission is what is missing, or 4. */
export function exitCodeOf({ processes }: Pick<MigrateDocument, 'processes'>): number {
  const named = processes.filter((process) => process.named);
  const refused = named.filter(({ state }) => state === 'refused');
  if (refused.length === 0) return EXIT.ok;
  if (processes.some(({ state }) => state !== 'refused')) return EXIT.badNews;
  return refused.every(({ code }) => code === 'permission') ? EXIT.notPermitted : EXIT.notPossible;
}
