import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { settingOf } from '../../src/model/tune/keys.js';
import type { PlanRow } from '../../src/model/tune/plan.js';
import type { Change } from '../../src/model/tune/results.js';
import type { ApplyOptions } from '../../src/services/tune/apply.js';
import { BIN } from './cli.js';

const RUNNER = fileURLToPath(new URL('apply-plan.mjs', import.meta.url));
let made = 0;

/** Why settings of a namespace cannot be written here, or undefined. */
export function tuningUnavailable(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root: it makes network namespaces';
  return existsSync('/usr/sbin/ip') || existsSync('/sbin/ip') ? undefined : 'needs iproute2';
}

/** A row of a plan as little said of it as the engine needs. */
export function rowOf(key: string, from: string, to: string, more: Partial<PlanRow> = {}): PlanRow {
  const kind = settingOf(key)?.kind;
  if (!kind) throw new Error(`${key} is no setting`);
  return {
    ...{ key, kind, from, to, default: null, reason: 'a test', evidence: [], risk: 'none', owner: null },
    ...{ raiseOnly: false, needs: 'nothing', scope: 'netns', ...more },
  };
}

export interface TuneHost {
  /** For `ip netns exec`. */
  name: string;
  /** As the engine takes it. */
  netns: string;
  /** Where the journal is; also in the environment of this process. */
  state: string;
  /** What a program inside prints. */
  sh(script: string): string;
  /** Every file of /proc/sys/net that can be read, byte by byte. */
  sysctls(): Promise<Record<string, string>>;
  /** One of them as sysctl(8) names it, on one line. */
  sysctl(key: string): string;
  /** The real command inside. */
  sockdoc(
    args: readonly string[],
    env?: Record<string, string>,
  ): Promise<{ signal: string | undefined; code: number | undefined; stdout: string; stderr: string }>;
  /** Applies rows with the built engine in a process of its own, after a script in a mount namespace of its own. */
  apply(
    rows: readonly PlanRow[],
    options?: ApplyOptions,
    env?: Record<string, string>,
    script?: string,
  ): Promise<{ signal: string | undefined; code: number | undefined; change: Change; thrown?: { message: string } }>;
  /** Nobody is in it any more. */
  removeNamespace(): Promise<void>;
  remove(): Promise<void>;
}

/**
 * A network namespace with a pair of links (v0 and v1, four queues each), and a folder for the journal. Tests in one file
 * run one after the other, so that the environment of this process is theirs.
 */
export function tuneHost(): TuneHost {
  const name = `sdtune-${process.pid}-${made++}`;
  const folder = mkdtempSync(join(tmpdir(), 'sockdoc-tune-'));
  const state = join(folder, 'state');
  process.env.SOCKDOC_STATE_DIR = state;
  const sh = (script: string) =>
    execFileSync('ip', ['netns', 'exec', name, 'sh', '-euc', script], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  execFileSync('ip', ['netns', 'add', name]);
  const queues = 'numtxqueues 4 numrxqueues 4';
  sh(
    `ip link set lo up; ip link add v0 ${queues} type veth peer name v1 ${queues}; ip link set v0 up; ip link set v1 up`,
  );
  const reader = sysctlReader(name);
  return {
    name,
    netns: `/run/netns/${name}`,
    state,
    sh,
    sysctls: reader.read,
    sysctl: (key) =>
      sh(`cat /proc/sys/${key.replaceAll('.', '/')}`)
        .trim()
        .replace(/\s+/g, ' '),
    async sockdoc(args, env = {}) {
      const result = await execa('ip', ['netns', 'exec', name, process.execPath, BIN, ...args], {
        reject: false,
        env: { SOCKDOC_STATE_DIR: state, ...env },
        stripFinalNewline: false,
        stdin: 'ignore',
      });
      return { signal: result.signal, code: result.exitCode, stdout: result.stdout, stderr: result.stderr };
    },
    async apply(rows, options = {}, env = {}, script = ':') {
      const [plan, given] = [join(folder, 'plan.json'), join(folder, 'options.json')];
      writeFileSync(plan, JSON.stringify({ profile: 'general', rows }));
      writeFileSync(given, JSON.stringify(options));
      const command = ['unshare', '--mount', 'sh', '-euc', `${script}\nexec "$@"`, 'sh', process.execPath, RUNNER];
      const result = await execa('ip', ['netns', 'exec', name, ...command, plan, given], {
        reject: false,
        env: { SOCKDOC_STATE_DIR: state, ...env },
        stdin: 'ignore',
      });
      const change = result.stdout === '' ? {} : JSON.parse(result.stdout);
      return { signal: result.signal, code: result.exitCode, change, thrown: change.thrown };
    },
    async removeNamespace() {
      await reader.end();
      execFileSync('ip', ['netns', 'del', name]);
    },
    async remove() {
      await reader.end();
      if (existsSync(`/run/netns/${name}`)) execFileSync('ip', ['netns', 'del', name]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What writes itself, or what reading it changes. */
const VOLATILE: Readonly<Record<string, string>> = {
  'netfilter/nf_conntrack_count': 'counts connections',
  'ipv4/tcp_fastopen_key': 'a secret that the kernel makes when it is first read',
};

/** Reads independently of what is tested, in one process for all readings: starting one costs more than the reading. */
function sysctlReader(name: string) {
  const child = spawn('ip', ['netns', 'exec', name, 'python3', '-uc', READER], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async read(): Promise<Record<string, string>> {
      child.stdin.write('\n');
      const { value } = await lines.next();
      return JSON.parse(value ?? '', (file, bytes) => (file in VOLATILE ? undefined : bytes));
    },
    async end() {
      child.stdin.end();
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}

/** For each line prints {file: bytes in hexadecimal}. Some may not be read at all (route/flush). */
const READER = `
import json, os, sys
for _ in sys.stdin:
    found = {}
    for folder, _, files in os.walk("/proc/sys/net"):
        for name in files:
            path = os.path.join(folder, name)
            try:
                with open(path, "rb") as file:
                    found[path[len("/proc/sys/net/"):]] = file.read().hex()
            except OSError:
                pass
    print(json.dumps(found))
`;
