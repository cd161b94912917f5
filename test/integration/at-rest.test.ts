import { expect, test } from 'vitest';
import { runCheck } from '../support/live.js';

test('on this machine at rest nothing fails, and every warning says what to do, what it risks and how to undo it', async () => {
  const { document, exitCode } = await runCheck([]);
  const failed = document.results.filter(({ status }) => status === 'fail');
  expect(failed).toEqual([]);
  expect(exitCode).toBe(0);
  for (const warning of document.results.filter(({ status }) => status === 'warn')) {
    expect(warning.evidence.length, warning.id).toBeGreaterThan(0);
    expect(warning.remedy, warning.id).toMatchObject({
      summary: expect.stringMatching(/./),
      risk: expect.stringMatching(/./),
      undo: expect.stringMatching(/./),
    });
  }
});
