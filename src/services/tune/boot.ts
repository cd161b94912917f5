import { readFileSync } from 'node:fs';

/** Differs after each start of the host; settings, numbers of namespaces and of processes do not outlast one. */
export const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
