import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { requireTool } from '../support/live.js';

const script = fileURLToPath(new URL('../../scripts/screenshots.mjs', import.meta.url));

test('the pictures of the README are what the screen shows', async (ctx) => {
  requireTool(ctx, 'tmux');
  const { exitCode, stderr } = await execa(process.execPath, [script, '--check'], { reject: false });
  expect(stderr).toBe('');
  expect(exitCode).toBe(0);
});
