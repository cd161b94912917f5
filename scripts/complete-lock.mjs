// Adds to package-lock.json the optional packages of other platforms that npm left out because the registry at hand does not
// have them; `npm ci` refuses a lock without them. Run it after a change of dependencies: node scripts/complete-lock.mjs
// An added entry says version and platform, which is what decides that it is not installed here; it has no checksum.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './tools.mjs';

const OS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const CPU = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64'];

const path = join(root, 'package-lock.json');
const lock = JSON.parse(readFileSync(path, 'utf8'));
const added = [];

for (const [place, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (found(place, name)) continue;
    if (!/^\d+\.\d+\.\d+/.test(version)) throw new Error(`${name}@${version} of ${place}: not an exact version`);
    lock.packages[`node_modules/${name}`] = {
      version,
      ...platform(name),
      ...(entry.dev ? { dev: true } : {}),
      optional: true,
    };
    added.push(name);
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
process.stdout.write(added.length > 0 ? `added:\n${added.join('\n')}\n` : 'nothing was missing\n');

/** Whether node's resolution from `place` would find the package somewhere in the lock. */
function found(place, name) {
  for (let folder = place; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    if (lock.packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`]) return true;
    if (folder === '' || !folder.includes('/node_modules/')) return Boolean(lock.packages[`node_modules/${name}`]);
  }
}

/** Operating system, processor and C library, from the words of the name. */
function platform(name) {
  const words = name.split(/[/@_-]/);
  const os = OS.filter((word) => words.includes(word));
  const cpu = CPU.filter((word) => words.includes(word) || words.includes(`${word}le`)).slice(0, 1);
  if (os.length === 0 && !cpu.includes('wasm32') && !name.endsWith('fsevents'))
    throw new Error(`${name}: no platform in its name`);
  const libc = words.some((word) => word.startsWith('musl'))
    ? ['musl']
    : words.some((word) => word.startsWith('gnu'))
      ? ['glibc']
      : [];
  return {
    ...(cpu.length > 0 ? { cpu } : {}),
    ...(libc.length > 0 ? { libc } : {}),
    ...(os.length > 0 ? { os } : name.endsWith('fsevents') ? { os: ['darwin'] } : {}),
  };
}
