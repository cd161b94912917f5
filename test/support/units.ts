import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { poll } from './poll.js';

const SYSTEMD = '/lib/systemd/systemd';
const ALONE = ['[Unit]', 'DefaultDependencies=no'];
const RUNTIME = '/run/user/0';
/**
 * It only starts where the host seems to have been booted by systemd: a /run of its own says so. It takes what is in its cgroup
 * for its own and moves it: so it gets one of its own, in every hierarchy that there is.
 */
const BEGIN = `
moved=
all=/sys/fs/cgroup/cgroup.procs
[ -e "$all" ] || all=/sys/fs/cgroup/*/cgroup.procs
for procs in $all; do
  mkdir "\${procs%/*}/$GROUP" && echo 0 > "\${procs%/*}/$GROUP/cgroup.procs" && moved=1
done
grep -qE "^(0:|[0-9]+:name=systemd):/$" /proc/self/cgroup && exit 1
[ -n "$moved" ] && mount --make-rprivate / && mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system ${RUNTIME} && exec "$@"`;

/** What a manager of a user can do: the others need mounts that only the host's manager makes. */
const FOR_USERS =
  /^(SystemCall\w+|Restrict\w+|MemoryDenyWriteExecute|NoNewPrivileges|LockPersonality|CapabilityBoundingSet|RemoveIPC|Private(Users|Devices)|Protect(Clock|ControlGroups|Hostname|KernelModules|Proc|System))=/;

/** How the distribution's own unit of a service confines it: lines of [Service]. */
export function confinementOf(unit: string): string[] {
  const file = `/lib/systemd/system/${unit}`;
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => FOR_USERS.test(line));
}

/** Those of what has just ended stay until the kernel has taken it apart. */
async function removeGroups(name: string): Promise<void> {
  const left = () =>
    ['/sys/fs/cgroup', ...readdirSync('/sys/fs/cgroup').map((one) => join('/sys/fs/cgroup', one))]
      .map((hierarchy) => join(hierarchy, name))
      .filter((group) => existsSync(group));
  await poll('its cgroups are removed', () => {
    for (const group of left()) spawnSync('find', [group, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', '+']);
    return left().length === 0;
  });
}

/** A systemd of the test's own, which starts services as the host's would. Needs root; where it cannot run, it says so. */
export class UnitManager {
  private readonly folder = mkdtempSync(join(tmpdir(), 'sockdoc-units-'));
  private readonly services = new Set<string>();
  private manager: ChildProcess | undefined;

  /** Why it cannot be; nothing when it runs. */
  async begin(): Promise<string | undefined> {
    if (process.getuid?.() !== 0) return 'needs root';
    if (!existsSync(SYSTEMD)) return 'needs systemd';
    mkdirSync(join(this.folder, 'units'));
    this.write('idle.target', ALONE);
    const command = ['unshare', '--mount', 'sh', '-c', BEGIN, 'sh', SYSTEMD, '--user', '--log-target=null'] as const;
    this.manager = spawn(command[0], [...command.slice(1), '--unit=idle.target'], {
      stdio: 'ignore',
      env: {
        PATH: process.env.PATH,
        GROUP: basename(this.folder),
        XDG_RUNTIME_DIR: RUNTIME,
        SYSTEMD_UNIT_PATH: join(this.folder, 'units'),
      },
    });
    const begun = poll('systemd runs', async () => {
      if (this.manager?.exitCode !== null) return 'ended';
      return (await this.control('is-active', 'idle.target').catch(() => '')).trim() === 'active' && 'active';
    });
    return (await begun.catch(() => '')) === 'active'
      ? undefined
      : 'systemd does not run here as the manager of a user';
  }

  /** The process of a service that has been started; fails with what systemd says of it. */
  async start(name: string, command: readonly string[], settings: readonly string[]): Promise<number> {
    this.write(`${name}.service`, [...ALONE, '[Service]', `ExecStart=${command.join(' ')}`, ...settings]);
    await this.control('daemon-reload');
    await this.control('start', `${name}.service`);
    const shown = await this.control('show', '-P', 'MainPID', `${name}.service`);
    const pid = Number(shown);
    this.services.add(name);
    if (!(pid > 0))
      throw new Error(await this.control('status', '-l', `${name}.service`).catch((error) => error.stdout));
    return pid;
  }

  async stop(name: string): Promise<void> {
    this.services.delete(name);
    await this.control('stop', `${name}.service`);
  }

  /** Ends it with all that it has started. */
  async end(): Promise<void> {
    const { manager } = this;
    for (const name of this.services) await this.stop(name);
    if (manager !== undefined && manager.exitCode === null && manager.signalCode === null) {
      const gone = new Promise((resolve) => manager.once('exit', resolve));
      manager.kill('SIGKILL');
      await gone;
    }
    await removeGroups(basename(this.folder));
    rmSync(this.folder, { recursive: true, force: true });
  }

  private write(name: string, lines: readonly string[]): void {
    writeFileSync(join(this.folder, 'units', name), `${lines.join('\n')}\n`);
  }

  private async control(...words: string[]): Promise<string> {
    const place = ['--mount', `--target=${this.manager?.pid}`, 'env', `XDG_RUNTIME_DIR=${RUNTIME}`];
    const { stdout } = await promisify(execFile)('nsenter', [...place, 'systemctl', '--user', ...words], {
      timeout: 20_000,
    });
    return stdout;
  }
}
