// Makes out/sockdoc-VERSION-linux-ARCH.tar.gz (relocatable) and out/sockdoc_VERSION_ARCH.deb: sockdoc with its own Node and
// its native parts, for hosts without a compiler, npm or Node.   npm run package
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fail, require, root, run } from './tools.mjs';

const { version, description } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const DEBIAN_ARCH = { x64: 'amd64', arm64: 'arm64' };
const arch = DEBIAN_ARCH[process.arch] ?? fail(`no package for ${process.arch}`);
const out = join(root, 'out');

require({ objdump: 'binutils', strip: 'binutils', 'dpkg-deb': 'dpkg', ldd: 'libc-bin' });
if (!existsSync(join(root, 'build/release/sockdoc.node')) || !existsSync(join(root, 'oclif.manifest.json'))) {
  run(process.execPath, ['scripts/build.mjs']);
}

const work = mkdtempSync(join(tmpdir(), 'sockdoc-package-'));
try {
  const tree = join(work, `sockdoc-${version}`);
  assemble(tree);
  mkdirSync(out, { recursive: true });
  const tarball = join(out, `sockdoc-${version}-linux-${process.arch}.tar.gz`);
  run('tar', ['-C', work, '--owner=0', '--group=0', '--sort=name', '-czf', tarball, `sockdoc-${version}`]);
  const deb = join(out, `sockdoc_${version}_${arch}.deb`);
  debianTree(tree, join(work, 'deb'));
  run('dpkg-deb', ['--root-owner-group', '-Zxz', '-z1', '--build', join(work, 'deb'), deb]);
  process.stdout.write(`${relative(root, tarball)}\n${relative(root, deb)}\n`);
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** bin/sockdoc, lib/node, lib/sockdoc: nothing in it knows where it stands. */
function assemble(tree) {
  const app = join(tree, 'lib/sockdoc');
  mkdirSync(join(tree, 'bin'), { recursive: true });
  mkdirSync(join(app, 'build/release'), { recursive: true });
  for (const name of ['bin', 'dist', 'oclif.manifest.json', 'package.json', 'LICENSE', 'README.md', 'CHANGELOG.md']) {
    cpSync(join(root, name), join(app, name), { recursive: true });
  }
  // libsd and who brings it into programs know x86-64 code: elsewhere there is neither.
  const interception = process.arch === 'x64' ? ['libsd.so', 'sockdoc-inject'] : [];
  for (const name of ['sockdoc.node', 'sockdoc-monitor', 'sockdoc-bench', ...interception]) {
    run('strip', ['--strip-unneeded', '-o', join(app, 'build/release', name), join(root, 'build/release', name)]);
  }
  for (const folder of productionPackages()) {
    cpSync(join(root, folder), join(app, folder), {
      recursive: true,
      verbatimSymlinks: true, // else they would point to where they were copied from
      filter: (path) => !/\.(map|d\.ts|d\.mts|d\.cts)$/.test(path),
    });
  }
  ownNode(join(tree, 'lib/node'));
  mkdirSync(join(tree, 'share/man/man1'), { recursive: true });
  run(process.execPath, ['scripts/man.mjs', join(tree, 'share/man/man1/sockdoc.1')]);
  symlinkSync('../lib/sockdoc/bin/sockdoc', join(tree, 'bin/sockdoc'));
}

/** Folders below the root of what sockdoc needs at run time. */
function productionPackages() {
  const { stdout, status } = spawnSync('npm', ['ls', '--all', '--omit=dev', '--parseable'], {
    cwd: root,
    encoding: 'utf8',
  });
  if (status !== 0) fail('npm ls found the dependencies incomplete: run npm ci');
  const folders = stdout
    .split('\n')
    .filter((path) => path.includes('/node_modules/'))
    .map((path) => relative(root, path));
  // A package inside another's folder comes along with it.
  return folders.filter((folder) => !folders.some((other) => folder !== other && folder.startsWith(`${other}/`)));
}

/** The Node that runs this script, if it needs no more than a C and C++ runtime. */
function ownNode(target) {
  const { stdout } = spawnSync('ldd', [process.execPath], { encoding: 'utf8' });
  const libraries = [...stdout.matchAll(/^\s+(\S+) =>/gm)].map((match) => match[1]);
  const foreign = libraries.filter(
    (name) => !/^(libdl|libstdc\+\+|libm|libgcc_s|libpthread|libc|libatomic)\.so/.test(name),
  );
  if (foreign.length > 0) {
    fail(
      `${process.execPath} needs ${foreign.join(', ')} and cannot be moved to another host: package with a self-contained Node`,
    );
  }
  cpSync(process.execPath, target, { dereference: true });
  chmodSync(target, 0o755);
}

function debianTree(tree, deb) {
  const home = join(deb, 'usr/lib/sockdoc');
  mkdirSync(join(deb, 'usr/lib'), { recursive: true });
  cpSync(tree, home, { recursive: true, verbatimSymlinks: true });
  mkdirSync(join(deb, 'usr/bin'), { recursive: true });
  symlinkSync('../lib/sockdoc/bin/sockdoc', join(deb, 'usr/bin/sockdoc'));
  const docs = join(deb, 'usr/share/doc/sockdoc');
  mkdirSync(docs, { recursive: true });
  cpSync(join(root, 'LICENSE'), join(docs, 'copyright'));
  cpSync(join(root, 'README.md'), join(docs, 'README.md'));
  const units = join(deb, 'usr/lib/systemd/system');
  mkdirSync(units, { recursive: true });
  cpSync(join(root, 'native/monitor/sockdoc-monitor.service'), join(units, 'sockdoc-monitor.service'));
  mkdirSync(join(deb, 'usr/share/man/man1'), { recursive: true });
  cpSync(join(tree, 'share/man/man1/sockdoc.1'), join(deb, 'usr/share/man/man1/sockdoc.1'));
  mkdirSync(join(deb, 'DEBIAN'));
  const size = spawnSync('du', ['-sk', join(deb, 'usr')], { encoding: 'utf8' }).stdout.split('\t')[0];
  writeFileSync(
    join(deb, 'DEBIAN/control'),
    `Package: sockdoc
Version: ${version}
Architecture: ${arch}
Maintainer: The sockdoc developers <sockdoc@localhost>
Installed-Size: ${size}
Section: net
Priority: optional
Depends: libc6 (>= ${neededGlibc(home)}), libstdc++6, libgcc-s1
Recommends: iproute2, ethtool
Description: ${description.split(':')[0]}
 ${description}.
`,
  );
}

/** The newest GLIBC symbol version that Node and the native parts ask for. */
function neededGlibc(home) {
  const versions = [
    'lib/node',
    'lib/sockdoc/build/release/sockdoc.node',
    'lib/sockdoc/build/release/sockdoc-monitor',
    'lib/sockdoc/build/release/sockdoc-bench',
    ...(process.arch === 'x64' ? ['lib/sockdoc/build/release/sockdoc-inject'] : []),
  ].flatMap((name) => {
    const { stdout } = spawnSync('objdump', ['-T', join(home, name)], { encoding: 'utf8', maxBuffer: 1 << 28 });
    return [...stdout.matchAll(/GLIBC_(\d+)\.(\d+)/g)].map((match) => [Number(match[1]), Number(match[2])]);
  });
  if (versions.length === 0) fail('objdump shows no GLIBC versions');
  return versions
    .sort((a, b) => a[0] - b[0] || a[1] - b[1])
    .at(-1)
    .join('.');
}
