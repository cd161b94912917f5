import { expect, test } from 'vitest';
import { interrupted, notPermitted, SockdocError, usageError } from '../../../src/support/errors.js';

test('an error carries its exit code, the next step and its cause', () => {
  const cause = new Error('EACCES');
  const error = notPermitted('pid 1 cannot be read', { next: 'sudo sockdoc check --pid 1', cause });
  expect(error).toBeInstanceOf(SockdocError);
  expect(error).toMatchObject({ kind: 'not-permitted', code: 3, next: 'sudo sockdoc check --pid 1', cause });
  expect(usageError('no').code).toBe(2);
  expect(usageError('no').cause).toBeUndefined();
});

test('a signal ends with 128 plus its number', () => {
  expect(interrupted('SIGINT').code).toBe(130);
  expect(interrupted('SIGTERM').code).toBe(143);
  expect(interrupted('SIGHUP').code).toBe(129);
});
