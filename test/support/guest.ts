import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A virtual network card of a guest. */
export interface GuestNic {
  /** QEMU's -netdev without its id: "user,restrict=on", "socket,listen=127.0.0.1:PORT", "tap,ifname=…,queues=4". */
  backend: string;
  /** Queue pairs of the virtio device; more than one needs a tap backend with as many. */
  queues?: number;
  /** Guests that are joined need different ones. */
  mac?: string;
  /** QEMU's device; left out: virtio-net-pci. */
  device?: string;
}

export interface GuestOptions {
  /** Shell script that the guest runs as root; its folder /guest is `folder` of the result. */
  script: string;
  cpus?: number;
  memoryMb?: number;
  /** NUMA nodes, with the CPUs spread over them evenly. */
  numaNodes?: number;
  nics?: GuestNic[];
  /** Network namespace of this machine in which QEMU itself runs (for tap devices). */
  netns?: string;
  timeoutMs?: number;
  /**
   * Starts with systemd and udev, as a host does, and runs the script as a service at the end of it. This script comes
   * before that, in a busybox to which the guest's root is /new.
   */
  systemd?: { prepare: string };
  /** More parameters for the kernel. */
  kernel?: string;
  /** Files that /guest has from the beginning, by name. */
  files?: Readonly<Record<string, string | Buffer>>;
}

export interface GuestResult {
  status: number;
  stdout: string;
  stderr: string;
  /** Console of the guest, for the message of a failure. */
  console: string;
  /** What the guest left in /guest, by file name. */
  read(name: string): Buffer;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Why a guest cannot be booted here, or undefined. */
export function guestUnavailable(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root: the guest mounts the root file system of this machine';
  for (const [program, name] of [
    ['/usr/bin/qemu-system-x86_64', 'qemu-system-x86'],
    ['/usr/bin/cpio', 'cpio'],
    ['/usr/bin/busybox', 'busybox-static'],
    ['/usr/sbin/depmod', 'kmod'],
  ] as const) {
    if (!existsSync(program) && !existsSync(program.replace('/usr', ''))) return `needs ${name}`;
  }
  return undefined;
}

/** Makes kernel and initramfs, once per checkout. */
export function guestImage(): string {
  return execFileSync('bash', [join(root, 'test/guest/image.sh')], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  }).trim();
}

/**
 * Boots Debian's kernel under software emulation with this machine's files as its root (read-only, changes go to
 * memory), runs a script in it and powers it off. QEMU is ended with the test in any case.
 */
export async function runGuest(options: GuestOptions): Promise<GuestResult> {
  const image = guestImage();
  const folder = mkdtempSync(join(tmpdir(), 'sockdoc-guest-'));
  const given = { run: options.script, prepare: options.systemd?.prepare ?? '', ...options.files };
  for (const [name, content] of Object.entries(given)) writeFileSync(join(folder, name), content);
  try {
    const qemu = ['qemu-system-x86_64', ...qemuArguments(options, image, folder)];
    const console = await boot(
      options.netns ? ['ip', 'netns', 'exec', options.netns, ...qemu] : qemu,
      options.timeoutMs ?? 240_000,
    );
    const files = new Map<string, Buffer>();
    const read = (name: string) => {
      const content = files.get(name);
      if (!content) throw new Error(`the guest left no file "${name}"; its console said:\n${console}`);
      return content;
    };
    for (const name of execFileSync('ls', [folder], { encoding: 'utf8' }).split('\n').filter(Boolean)) {
      files.set(name, readFileSync(join(folder, name)));
    }
    return {
      status: Number(read('status').toString().trim()),
      stdout: read('stdout').toString(),
      stderr: read('stderr').toString(),
      console,
      read,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function qemuArguments(options: GuestOptions, image: string, folder: string): string[] {
  const cpus = options.cpus ?? 2;
  const memoryMb = options.memoryMb ?? 1024;
  const share = (tag: string, path: string, extra: string) => [
    '-virtfs',
    `local,path=${path},mount_tag=${tag},security_model=none,multidevs=remap${extra}`,
  ];
  const nics = options.nics ?? [{ backend: 'user,restrict=on' }];
  return [
    ...['-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', `${cpus}`, '-m', `${memoryMb}`],
    ...['-nodefaults', '-no-reboot', '-display', 'none', '-serial', 'stdio'],
    ...[
      '-kernel',
      join(image, 'vmlinuz'),
      '-initrd',
      join(image, 'initramfs.gz'),
      '-append',
      [
        // On a busy machine the emulated timer may come too late for the kernel to believe in it.
        'console=ttyS0 quiet panic=-1 no_timer_check',
        ...(options.systemd ? ['sockdoc.systemd systemd.show_status=error'] : []),
        options.kernel ?? '',
      ].join(' '),
    ],
    ...share('root', '/', ',readonly=on'),
    ...share('guest', folder, ''),
    ...share('kmods', join(image, 'kernel/lib/modules'), ',readonly=on'),
    ...(options.numaNodes ? numaArguments(options.numaNodes, cpus, memoryMb) : []),
    ...nics.flatMap((nic, index) => nicArguments(nic, index)),
  ];
}

function numaArguments(nodes: number, cpus: number, memoryMb: number): string[] {
  const perNode = cpus / nodes;
  return Array.from({ length: nodes }, (_, node) => [
    ...['-object', `memory-backend-ram,id=mem${node},size=${memoryMb / nodes}M`],
    ...['-numa', `node,nodeid=${node},memdev=mem${node},cpus=${node * perNode}-${(node + 1) * perNode - 1}`],
  ]).flat();
}

function nicArguments(nic: GuestNic, index: number): string[] {
  const queues = nic.queues ?? 1;
  const multi = queues > 1 ? `,mq=on,vectors=${2 * queues + 2}` : '';
  const mac = nic.mac ?? `52:54:00:12:34:${(0x10 + index).toString(16)}`;
  const [kind, ...rest] = nic.backend.split(',');
  return [
    ...['-netdev', [kind, `id=n${index}`, ...rest].join(',')],
    // No ROM to start from the network with.
    ...['-device', `${nic.device ?? 'virtio-net-pci'},netdev=n${index},mac=${mac},romfile=${multi}`],
  ];
}

function boot(command: string[], timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    // The kernel ends QEMU when the test runner is gone, however it went.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const collect = (chunk: Buffer) => {
      output += chunk.toString();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const end = () => child.kill('SIGKILL');
    const timer = setTimeout(() => {
      end();
      reject(new Error(`the guest did not end within ${timeoutMs} ms; its console said:\n${output}`));
    }, timeoutMs);
    child.once('error', reject);
    child.once('close', () => {
      clearTimeout(timer);
      resolve(output);
    });
  });
}
