import { expect, test } from 'vitest';
import { checks } from '../../../../src/checks/registry.js';
import { prettyExplain } from '../../../../src/report/pretty/explain.js';
import { explain } from '../../../../src/services/explain/explain.js';
import { isNamed } from '../../../../src/services/tune/plan/choice.js';
import { tunables } from '../../../../src/tunables/catalogue/index.js';

const withTune = checks.flatMap(({ id, page }) => (page.tune ? [[id, page.tune] as const] : []));
const page = (id: string) =>
  explain({ id, here: false, windowMs: 0, signal: new AbortController().signal, warn: () => {} });

test.each(withTune)('the page of %s names settings that tune has', (_, { keys }) => {
  for (const pattern of keys)
    expect(
      tunables.some(({ key }) => isNamed(pattern, key) || isNamed(key, pattern)),
      pattern,
    ).toBe(true);
});

test.each([
  ['backlog-clamped', 'sockdoc tune --only net.core.somaxconn'],
  ['governor', "sockdoc tune --profile latency --only '/sys/devices/system/cpu/*/cpufreq/scaling_governor'"],
  ['fd-limit', "sockdoc tune --limits --only 'limit:*:nofile'"],
])('the page of %s says what to type', async (id, command) => {
  const document = await page(id);
  expect(document.tune?.command).toBe(command);
  expect(prettyExplain(document, { columns: 200, colour: false, unicode: true })).toContain(`\n  ${command}\n`);
});

test('the page of what is no setting does not point at tune', async () => {
  const document = await page('close-wait-leak');
  expect(document.tune).toBeUndefined();
  expect(prettyExplain(document, { columns: 80, colour: false, unicode: true })).not.toContain('sockdoc tune');
});
