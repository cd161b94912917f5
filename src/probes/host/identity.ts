import type { FileProbe } from '../files.js';

const FILES = {
  hostname: '/proc/sys/kernel/hostname',
  release: '/proc/sys/kernel/osrelease',
  osRelease: ['/etc/os-release', '/usr/lib/os-release'],
  stat: '/proc/stat',
  meminfo: '/proc/meminfo',
  status: '/proc/thread-self/status',
} as const;

export interface Identity {
  hostname?: string;
  kernel?: string;
  distribution?: string;
  bootedAt?: string;
  memoryBytes?: number;
  effectiveUid?: number;
  capabilities: string[];
}

export const identity: FileProbe<Identity> = {
  name: 'identity',
  wants: {
    files: [FILES.hostname, FILES.release, ...FILES.osRelease, FILES.stat, FILES.meminfo, FILES.status],
  },
  parse(found) {
    const hostname = found.line(FILES.hostname);
    const kernel = found.line(FILES.release);
    const osRelease = FILES.osRelease.map((path) => found.text(path)).find((text) => text !== undefined);
    const distribution = osRelease && parseOsRelease(osRelease);
    const booted = /^btime (\d+)$/m.exec(found.text(FILES.stat) ?? '');
    const memory = /^MemTotal:\s+(\d+) kB$/m.exec(found.text(FILES.meminfo) ?? '');
    const status = found.required(FILES.status) ?? '';
    const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(status);
    return {
      ...(hostname ? { hostname } : {}),
      ...(kernel ? { kernel } : {}),
      ...(distribution ? { distribution } : {}),
      ...(booted ? { bootedAt: new Date(Number(booted[1]) * 1000).toISOString() } : {}),
      ...(memory ? { memoryBytes: Number(memory[1]) * 1024 } : {}),
      ...(uid ? { effectiveUid: Number(uid[1]) } : {}),
      capabilities: parseCapabilities(/^CapEff:\s+([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'),
    };
  },
};

/** PRETTY_NAME of os-release(5). */
export function parseOsRelease(text: string): string | undefined {
  const value = /^PRETTY_NAME=(.*)$/m.exec(text)?.[1]?.trim();
  return value?.replace(/^(["'])(.*)\1$/, '$2').replace(/\\(.)/g, '$1');
}

/** In the order of their bits (linux/capability.h). */
const CAPABILITIES = (
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE ' +
  'NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN ' +
  'SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE ' +
  'MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
)
  .split(' ')
  .map((name) => `CAP_${name}`);

/** A mask of /proc/PID/status, hexadecimal. */
export function parseCapabilities(mask: string): string[] {
  const bits = BigInt(`0x${mask}`);
  return CAPABILITIES.filter((_, at) => (bits >> BigInt(at)) & 1n);
}
