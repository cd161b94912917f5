import { expect, test } from 'vitest';
import type { MigratedProcess } from '../../../../src/model/migrate.js';
import { exitCodeOf } from '../../../../src/services/migrate/outcome.js';

const named = (state: MigratedProcess['state'], code?: string): MigratedProcess => ({
  pid: 1,
  comm: 'a',
  state,
  named: true,
  ...(code === undefined ? {} : { code }),
});
const other = (state: MigratedProcess['state'], code?: string) => ({ ...named(state, code), named: false });

test.each([
  ['all as asked', 0, [named('attached'), named('attached', 'already')]],
  ['only peers refused', 0, [named('attached'), other('refused', 'static')]],
  ['one of two refused', 1, [named('attached'), named('refused', 'permission')]],
  ['the named one refused, its children not', 1, [named('refused', 'timeout'), other('attached')]],
  ['nothing done, no permission', 3, [named('refused', 'permission'), other('refused', 'permission')]],
  ['nothing done, other reasons', 4, [named('refused', 'permission'), named('refused', 'static')]],
] as const)('%s: %i', (_, code, processes) => {
  expect(exitCodeOf({ processes: [...processes] })).toBe(code);
});
