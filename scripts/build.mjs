// The whole build: native parts, TypeScript, command manifest. `npm ci` runs it (prepare).
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildNative } from './build-native.mjs';
import { root, run } from './tools.mjs';

buildNative('release');
rmSync(join(root, 'dist'), { recursive: true, force: true });
run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json']);
run(process.execPath, ['scripts/manifest.mjs']);
