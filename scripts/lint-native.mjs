// Checks the native code: which folder may include which, and clang-format where it is installed (--write mends).
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail, onPath, root, run } from './tools.mjs';

/** Folder of native/ → folders whose headers it may include. */
const MAY_INCLUDE = {
  abi: [],
  base: [],
  ring: ['abi'],
  transport: ['ring', 'abi', 'base'],
  preload: ['transport', 'ring', 'abi', 'base', 'program'],
  probes: ['base'],
  monitor: ['probes', 'base', 'abi'],
  launch: ['base', 'program'],
  // of probes what runs BPF programs; of preload the one header of what is called in the target
  inject: ['probes', 'base', 'abi', 'program', 'preload'],
  // of preload the one header by which programs ask libsd
  bench: ['base', 'abi', 'preload'],
  settings: ['probes', 'base'],
  addon: ['probes', 'launch', 'settings', 'base', 'program'],
};

const files = listed([
  'native/**/*.cc',
  'native/**/*.h',
  'test/native/**/*.cc',
  'test/native/**/*.h',
  'fixtures/programs/**/*.c',
  'fixtures/programs/**/*.cc',
  'fixtures/programs/**/*.h',
]);

const wrong = files.flatMap((file) => {
  const folder = /^native\/([^/]+)\//.exec(file)?.[1];
  if (!folder) return [];
  const allowed = [folder, ...(MAY_INCLUDE[folder] ?? [])];
  const included = [...readFileSync(join(root, file), 'utf8').matchAll(/^#include "([^"/]+)\//gm)].map((m) => m[1]);
  return included
    .filter((name) => !allowed.includes(name))
    .map((name) => `${file}: ${folder} may not include ${name}/`);
});
if (wrong.length > 0) fail(`\n${wrong.join('\n')}`);

if (onPath('clang-format')) {
  run('clang-format', process.argv.includes('--write') ? ['-i', ...files] : ['--dry-run', '--Werror', ...files]);
} else {
  process.stderr.write('clang-format is not installed: the layout of native code was not checked\n');
}

function listed(patterns) {
  const { stdout } = spawnSync(
    'git',
    ['ls-files', '--cached', '--others', '--exclude-standard', ...patterns.map((p) => `:(glob)${p}`)],
    { cwd: root, encoding: 'utf8' },
  );
  return stdout.split('\n').filter(Boolean);
}
