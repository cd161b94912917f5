import type { Kind } from '../../model/tune/keys.js';

/** Whether two values are the same setting: masks may be written with or without leading zeros and commas. */
export function sameSetting(key: string, a: string, b: string): boolean {
  return a === b || (/_cpus$|\/smp_affinity$/.test(key) && mask(a) === mask(b));
}

const mask = (text: string): string =>
  text
    .toLowerCase()
    .replace(/^0x|,/g, '')
    .replace(/^0+(?=.)/, '');

/** The numbers of a value, "4096 131072 33554432", "1024:unlimited"; undefined when it is not made of numbers. */
function numbers(value: string): number[] | undefined {
  const words = value.split(/[\s:]+/).map((word) => (word === 'unlimited' ? Number.POSITIVE_INFINITY : Number(word)));
  return value !== '' && words.every((word) => !Number.isNaN(word)) ? words : undefined;
}

/** Whether a value is nowhere smaller than another, and the other lacks something that it has. */
export function raises(from: string, to: string): boolean {
  const [a, b] = [numbers(from), numbers(to)];
  if (!a || !b || a.length !== b.length) return true; // not numbers: nothing to compare
  return b.every((value, at) => value >= (a[at] as number)) && b.some((value, at) => value > (a[at] as number));
}

/**
 * Whether the value that the kernel made of a write is still a step from the former one towards the one that was
 * asked for (rounded, or held at a limit), in each of its numbers.
 */
export function improves(from: string, asked: string, actual: string): boolean {
  const [a, b, c] = [numbers(from), numbers(asked), numbers(actual)];
  if (!a || !b || !c || a.length !== b.length || b.length !== c.length) return false;
  const steps = c.map((value, at) => Math.sign(value - (a[at] as number)));
  return (
    steps.some((step) => step !== 0) &&
    steps.every((step, at) => step === 0 || step === Math.sign((b[at] as number) - (a[at] as number)))
  );
}

/** An errno name in words about a setting. */
export function reasonOf(errno: string, kind: Kind): string {
  return REASONS[kind]?.[errno] ?? COMMON[errno] ?? errno;
}

const COMMON: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'it is mounted for reading only here',
  ENOENT: 'it is not there in this kernel or network namespace',
  ENODEV: 'the interface is gone',
  ESRCH: 'the process has ended',
  EINVAL: 'the kernel does not take this value',
  ERANGE: 'the value is outside of what the kernel takes',
  EOPNOTSUPP: 'this is not supported here',
  EBUSY: 'it is in use',
};

const REASONS: Readonly<Partial<Record<Kind, Readonly<Record<string, string>>>>> = {
  ethtool: {
    ENOENT: 'this kernel cannot set it by netlink (Linux 5.8 can)',
    EOPNOTSUPP: 'the driver cannot set it',
    EINVAL: 'the driver does not take this value',
  },
};
