// Python's own tests with libsd and without: every test must end the same way. Minutes, so not among the others.
//   node scripts/python-suites.mjs [--rings] [suite...]
// --rings: with a monitor, so that connections go over to rings as soon as they can; without it libsd only counts.
// Wants libpython3.11-testsuite, or another Python with its tests (PYTHON=).
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fail, require, root } from './tools.mjs';

const LIBSD = join(root, 'build/release/libsd.so');
const SUITES = [
  'test_socket',
  'test_selectors',
  'test_asyncio',
  'test_socketserver',
  'test_httplib',
  'test_ssl',
  'test_ftplib',
  'test_smtplib',
  'test_xmlrpc',
  'test_multiprocessing_fork',
];
// Tests of AF_VSOCK wait for ever in some virtual machines, with libsd or without.
const RESOURCES = { test_socketserver: ['-u', 'network'] };
const MONITOR = join(root, 'build/release/sockdoc-monitor');
const LEFT_OUT = ['-i', '*VSOCK*'];

const python =
  process.env.PYTHON ?? (existsSync('/usr/lib/python3.11/test/test_socket.py') ? '/usr/bin/python3.11' : '');
if (python === '') require({ 'Python with its tests': 'libpython3.11-testsuite' });
if (!existsSync(LIBSD)) fail('build/release/libsd.so is not built');

/** Test → how it ended. */
function results(suite, env) {
  const { stdout, stderr, error } = spawnSync(
    python || '/usr/bin/python3.11',
    ['-m', 'test', '-v', suite, ...LEFT_OUT, ...(RESOURCES[suite] ?? [])],
    {
      encoding: 'utf8',
      env: { ...process.env, ...env },
      timeout: 600_000,
      maxBuffer: 1 << 28,
    },
  );
  if (error) fail(`${suite}: ${error.message}`);
  const lines = `${stdout}\n${stderr}`.matchAll(
    /^(test\w+ \(\S+\)).*? \.\.\. (?:.*?)(ok|skipped|ERROR|FAIL|expected failure)\b/gm,
  );
  return new Map([...lines].map(([, name, end]) => [name, end]));
}

/** A monitor of our own: what programs need to know of it, and its end. */
async function startMonitor() {
  const folder = mkdtempSync(join(tmpdir(), 'sockdoc-python-'));
  const socket = join(folder, 'monitor.sock');
  const child = spawn(MONITOR, ['--socket', socket, '--ready-fd', '3'], {
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  });
  const [said] = await once(child.stdio[3], 'data');
  if (!String(said).includes('pid')) fail(String(said));
  return {
    env: { SOCKDOC_MONITOR: socket, SOCKDOC_AFTER_CALLS: '1' },
    async end() {
      const gone = once(child, 'exit');
      child.kill();
      await gone;
      rmSync(folder, { recursive: true });
    },
  };
}

const rings = process.argv.includes('--rings');
const wanted = process.argv.slice(2).filter((argument) => argument !== '--rings');
const monitor = rings ? await startMonitor() : undefined;
let worse = 0;
for (const suite of wanted.length > 0 ? wanted : SUITES) {
  const plain = results(suite, {});
  const withLibsd = results(suite, { LD_PRELOAD: LIBSD, ...monitor?.env });
  if (plain.size === 0) fail(`${suite}: no test ran with ${python}`);
  const names = new Set([...plain.keys(), ...withLibsd.keys()]);
  const different = [...names].filter((name) => plain.get(name) !== withLibsd.get(name));
  for (const name of different) {
    process.stdout.write(
      `${name}: ${plain.get(name) ?? 'did not run'}, with libsd ${withLibsd.get(name) ?? 'did not run'}\n`,
    );
  }
  process.stdout.write(`${suite}: ${plain.size} tests, ${different.length} end otherwise with libsd\n`);
  worse += different.length;
}
await monitor?.end();
process.exitCode = worse === 0 ? 0 : 1;
