import { existsSync } from 'node:fs';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { collectKernelLog } from '../../../src/probes/kernel-log.js';
import { readKernelLog } from '../../../src/probes/native.js';
import { requireRoot, requireTool } from '../../support/live.js';

/** "[    1.234567] text" of dmesg, in milliseconds; the lines of one record stand on lines of their own. */
async function dmesg(): Promise<{ atMs: number; text: string }[]> {
  const { stdout } = await execa('dmesg', ['--kernel', '--color=never', '--time-format', 'raw']).catch(() =>
    execa('dmesg', ['--kernel', '--color=never']),
  );
  return stdout.split('\n').flatMap((line) => {
    const found = /^\[\s*(\d+\.\d+)\] (.*)$/.exec(line);
    return found ? [{ atMs: Math.round(Number(found[1]) * 1e6) / 1000, text: found[2] ?? '' }] : [];
  });
}

test('the log is that of dmesg(1), and what is kept of it concerns networking or memory', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'dmesg');
  if (!existsSync('/dev/kmsg')) ctx.skip('no /dev/kmsg here');
  const before = await dmesg();
  const { entries, gaps } = await readKernelLog();
  expect(gaps).toEqual([]);
  expect(before.length).toBeGreaterThan(10);
  // The oldest may have been overwritten meanwhile; everything else that was there before is there now.
  const oldest = entries[0]?.atMs ?? 0;
  const key = (entry: { atMs: number; text: string }) => `${entry.atMs.toFixed(3)} ${entry.text.split('\n')[0]}`;
  const read = new Set(entries.map(key));
  const missing = before.filter((entry) => entry.atMs > oldest && !read.has(key(entry)));
  expect(missing).toEqual([]);

  const { kernelLog = [] } = await collectKernelLog();
  expect(kernelLog.length).toBeLessThan(entries.length);
  for (const entry of kernelLog.filter((one) => one.atMs <= (entries.at(-1)?.atMs ?? 0)))
    expect(read).toContain(key(entry));
});

test('a line that a program wrote is no word of the kernel', async (ctx) => {
  requireRoot(ctx);
  if (!existsSync('/dev/kmsg')) ctx.skip('no /dev/kmsg here');
  const text = `sockdoc (test ${process.pid})`;
  await execa('sh', ['-c', `echo '${text}' > /dev/kmsg`]);
  const { entries } = await readKernelLog();
  expect(entries.some((entry) => entry.text.includes(`(test ${process.pid})`))).toBe(false);
});
