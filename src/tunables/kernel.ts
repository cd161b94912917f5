/** What the kernel makes its defaults of. */
export interface Kernel {
  /** uname -r */
  release: string;
  memoryBytes: number;
  pageBytes: number;
}

/** Whether a kernel is of this version or a later one; by its release, which distributions keep while they backport. */
export function atLeast({ release }: Pick<Kernel, 'release'>, major: number, minor: number): boolean {
  const [, first, second] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  const [is, part] = [Number(first ?? 0), Number(second ?? 0)];
  return is > major || (is === major && part >= minor);
}
