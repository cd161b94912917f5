import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { foldCommand } from '../../../src/report/fold-command.js';
import { width } from '../../../src/report/layout.js';

const run = (text: string) => execFileSync('/bin/sh', ['-c', text], { encoding: 'utf8' });

test('folds at spaces outside quotes', () => {
  expect(foldCommand('sysctl -w net.ipv4.tcp_rmem="4096 131072 33554432"', 40, '  ')).toEqual([
    '  sysctl -w \\',
    '    net.ipv4.tcp_rmem="4096 131072 335\\',
    '54432"',
  ]);
  expect(foldCommand('sysctl -w a=1', 40, '  ')).toEqual(['  sysctl -w a=1']);
  expect(foldCommand('# a remark that is rather long for this', 24, '')).toEqual([
    '# a remark that is',
    '# rather long for this',
  ]);
});

test('leaves alone what a break could change', () => {
  const command = 'echo "$(ls -l "/tmp/a folder/with a name that is far too long for one line")"';
  expect(foldCommand(command, 40, '')).toEqual([command]);
});

test('a folded command is still the same command to the shell', () => {
  const words = fc.array(
    fc.string({ unit: fc.constantFrom('a', 'b', ' ', '"', "'", '-', '=', '$', '\\'), maxLength: 30 }),
    {
      minLength: 1,
      maxLength: 5,
    },
  );
  const quoted = (arg: string) => `'${arg.replaceAll("'", "'\\''")}'`;
  const escaped = (arg: string) => arg.replace(/[^ab]/g, '\\$&') || "''";
  fc.assert(
    fc.property(words, fc.integer({ min: 20, max: 60 }), fc.boolean(), (args, columns, inQuotes) => {
      const command = ['printf', "'[%s]'", ...args.map(inQuotes ? quoted : escaped)].join(' ');
      const lines = foldCommand(command, columns, '    ');
      for (const line of lines) expect(width(line)).toBeLessThanOrEqual(columns);
      expect(run(lines.join('\n'))).toBe(run(command));
    }),
    { numRuns: 60 },
  );
});
