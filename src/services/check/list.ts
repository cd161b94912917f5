import { checks } from '../../checks/registry.js';
import type { ListDocument } from '../../model/list.js';
import { packageVersion } from '../../support/version.js';

/** The catalogue, for `check --list`. */
export function listChecks(): ListDocument {
  return {
    schemaVersion: 1,
    command: 'check',
    version: packageVersion(),
    checks: checks.map(({ id, category, title, scope }) => ({ id, category, title, scope })),
  };
}
