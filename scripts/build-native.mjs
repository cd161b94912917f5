// Configures and builds one CMake preset: node scripts/build-native.mjs [release|debug|asan|tsan]
import { require, run } from './tools.mjs';

export function buildNative(preset) {
  require({ cmake: 'cmake', ninja: 'ninja-build', 'g++': 'g++' });
  run('cmake', ['--preset', preset, '--log-level=WARNING']);
  // Progress is for people: a log shows what compilers say.
  const quiet = process.stdout.isTTY ? [] : ['--', '--quiet'];
  run('cmake', ['--build', '--preset', preset, ...quiet]);
}

if (import.meta.filename === process.argv[1]) buildNative(process.argv[2] ?? 'release');
