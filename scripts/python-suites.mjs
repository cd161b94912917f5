// Python's own tests of sockets with libsd: every test must end as it does without. Minutes for all suites.
//   node scripts/python-suites.mjs [--counting] [--rings] [--without=REGEXP] [suite...]
// --counting: libsd passes every call on to the kernel. --rings: with a monitor, so that connections go over to rings as soon
// as they can. Neither: both. --without: tests whose name it matches are left out. Wants libpython3.11-testsuite, or another Python with its tests (PYTHON=).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fail, require, root } from './tools.mjs';

const LIBSD = join(root, 'build/release/libsd.so');
const MONITOR = join(root, 'build/release/sockdoc-monitor');
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
const RESOURCES = { test_socketserver: ['-u', 'network'] };
// Tests of AF_VSOCK wait for ever in some virtual machines, with libsd or without.
const LEFT_OUT = /VSOCK/;
const LONGEST_MS = 600_000;
/** How often a test that did not end well is tried with libsd and without: a busy machine is no difference. */
const TRIES = 3;

/** What Python's runner writes as XML, as JSON: test → how it ended. */
const ENDINGS = `
import json, sys, xml.etree.ElementTree as tree
endings = {}
for case in tree.parse(sys.argv[1]).iter("testcase"):
    kinds = sorted({child.tag for child in case} & {"error", "failure", "skipped"})
    endings.setdefault(case.get("name"), set()).add(kinds[0] if kinds else "ok")
json.dump({name: " and ".join(sorted(kinds)) for name, kinds in endings.items()}, sys.stdout)
`;

const DEBIAN = '/usr/bin/python3.11';
const there = existsSync('/usr/lib/python3.11/test/test_socket.py');
const python = process.env.PYTHON ?? DEBIAN;
if (python === DEBIAN && !there) require({ 'Python with its tests': 'libpython3.11-testsuite' });
if (!existsSync(LIBSD)) fail('build/release/libsd.so is not built');
const folder = mkdtempSync(join(tmpdir(), 'sockdoc-python-'));
let runs = 0;

/** What Python wrote. A process group of its own: tests that hang leave processes. */
async function outputOf(args, env = {}) {
  const child = spawn(python, args, {
    env: { ...process.env, ...env },
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr']) {
    child[stream].setEncoding('utf8').on('data', (part) => {
      said[stream] += part;
    });
  }
  const late = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), LONGEST_MS);
  await once(child, 'close');
  clearTimeout(late);
  return said;
}

/** How these tests of a suite ended; `text` is what they wrote. */
async function endings(suite, names, env = {}) {
  const file = join(folder, `${runs++}`);
  writeFileSync(file, names.join('\n'));
  const resources = RESOURCES[suite] ?? [];
  const { stdout, stderr } = await outputOf(
    ['-m', 'test', '-v', '--matchfile', file, '--junit-xml', `${file}.xml`, ...resources, suite],
    env,
  );
  const text = `${stdout}${stderr}`;
  if (!existsSync(`${file}.xml`)) return { ends: {}, text };
  return { ends: JSON.parse((await outputOf(['-c', ENDINGS, `${file}.xml`])).stdout), text };
}

/** What is not "ok", and what did not run. */
const doubtful = (names, ends) => [...new Set([...names, ...Object.keys(ends)])].filter((name) => ends[name] !== 'ok');

/** The tests that end with libsd as they never do without; each with how it ended. */
async function different(suite, names, env) {
  const first = await endings(suite, names, env);
  let left = doubtful(names, first.ends);
  let last = first;
  const plainly = new Map(left.map((name) => [name, new Set()]));
  for (let turn = 0; left.length > 0 && turn < TRIES; turn++) {
    if (turn > 0) last = await endings(suite, left, env);
    const { ends } = await endings(suite, left);
    for (const name of left) plainly.get(name).add(ends[name]);
    left = left.filter((name) => !plainly.get(name).has(last.ends[name]));
  }
  return left
    .map((name) => `${name}: ${[...plainly.get(name)].join(' or ')}, here ${last.ends[name] ?? 'did not run'}`)
    .concat(left.length > 0 ? [last.text.slice(-4000)] : []);
}

/** A monitor of our own: what programs need to know of it, and its end. */
async function startMonitor() {
  const socket = join(folder, 'monitor.sock');
  const child = spawn(MONITOR, ['--socket', socket, '--ready-fd', '3'], {
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  });
  const [text] = await once(child.stdio[3], 'data');
  if (!String(text).includes('pid')) fail(String(text));
  return {
    env: { SOCKDOC_MONITOR: socket, SOCKDOC_AFTER_CALLS: '1' },
    async end() {
      const gone = once(child, 'exit');
      child.kill();
      await gone;
    },
  };
}

const given = process.argv.slice(2);
const named = given.filter((argument) => !argument.startsWith('--'));
const without = given.find((argument) => argument.startsWith('--without='))?.slice('--without='.length);
const left = without === undefined ? LEFT_OUT : new RegExp(`${LEFT_OUT.source}|${without}`);
const all = !given.includes('--counting') && !given.includes('--rings');
const monitor = all || given.includes('--rings') ? await startMonitor() : undefined;
const modes = [];
if (all || given.includes('--counting')) modes.push(['with libsd', { LD_PRELOAD: LIBSD }]);
if (monitor) modes.push(['on rings', { LD_PRELOAD: LIBSD, ...monitor.env }]);
let worse = 0;
for (const suite of named.length > 0 ? named : SUITES) {
  const { stdout, stderr } = await outputOf(['-m', 'test', '--list-cases', suite, ...(RESOURCES[suite] ?? [])]);
  const names = stdout.split('\n').filter((name) => name !== '' && !left.test(name));
  if (names.length === 0) fail(`${suite}: no tests in ${python}: ${stderr}`);
  for (const [mode, env] of modes) {
    const found = await different(suite, names, env);
    worse += found.length;
    for (const line of found) process.stdout.write(`${line}\n`);
    process.stdout.write(
      `${suite}: ${names.length} tests, ${found.length === 0 ? 'all end as without' : 'some end otherwise'} ${mode}\n`,
    );
  }
}
await monitor?.end();
rmSync(folder, { recursive: true, force: true });
process.exitCode = worse === 0 ? 0 : 1;
