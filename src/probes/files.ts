import type { Gap } from '../model/gap.js';
import { type FilesAnswer, type FilesRequest, readFiles } from './native.js';

/** What to read, without where: paths are written for our own view, namespaced ones below /proc/thread-self. */
export type Wants = Omit<FilesRequest, 'netns' | 'ownSysfs'>;

/** A part of the snapshot that is made of text files: what it reads, and a pure function from the texts. */
export interface FileProbe<T> {
  name: string;
  wants: Wants;
  parse(found: Found): T;
}

// biome-ignore lint/suspicious/noExplicitAny: each probe has its own result
type Probes = Record<string, FileProbe<any>>;
export type Parts<P extends Probes> = { [K in keyof P]?: ReturnType<P[K]['parse']> };

/** The texts that one call brought, and the gaps that parsers name while they look at them. */
export class Found {
  readonly gaps: Gap[] = [];
  readonly #answer: FilesAnswer;
  readonly #probe: string;

  constructor(answer: FilesAnswer, probe: string) {
    this.#answer = answer;
    this.#probe = probe;
  }

  /** A file's text; undefined when it is not there or cannot be read. */
  text(path: string): string | undefined {
    return this.#answer.files[path];
  }

  /** The same without white space around it. */
  line(path: string): string | undefined {
    return this.#answer.files[path]?.trim();
  }

  integer(path: string): number | undefined {
    const text = this.line(path);
    return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
  }

  /** A file that every kernel we know has: when it cannot be read or is empty, that is a gap. `needs` would help. */
  required(path: string, needs?: string): string | undefined {
    const text = this.text(path) || undefined;
    if (text === undefined) this.missing(path, needs);
    return text;
  }

  /** Notes a file that could not be read as a gap; one that this kernel does not have is told apart. */
  missing(path: string, needs?: string): void {
    const code = this.error(path);
    const denied = code === 'EACCES' || code === 'EPERM';
    this.gaps.push({
      probe: this.#probe,
      what: path,
      reason: denied ? 'permission denied' : (code?.replace('ENOENT', 'not there') ?? this.#unexplained(path)),
      ...(denied && needs ? { needs } : {}),
    });
  }

  #unexplained(path: string): string {
    return this.text(path) === '' ? 'empty: hidden by a mount' : 'not there';
  }

  /** errno name, "EACCES". */
  error(path: string): string | undefined {
    return this.#answer.errors[path];
  }

  link(path: string): string | undefined {
    return this.#answer.links[path];
  }

  /** Files that were read whose path the expression matches, with the match. */
  *files(path: RegExp): Generator<{ match: RegExpExecArray; text: string }> {
    for (const [name, text] of Object.entries(this.#answer.files)) {
      const match = path.exec(name);
      if (match) yield { match, text };
    }
  }

  *links(path: RegExp): Generator<{ match: RegExpExecArray; target: string }> {
    for (const [name, target] of Object.entries(this.#answer.links)) {
      const match = path.exec(name);
      if (match) yield { match, target };
    }
  }

  /** What matched the patterns of `pathGlobs`. */
  paths(path: RegExp): RegExpExecArray[] {
    return this.#answer.paths.flatMap((name) => {
      const match = path.exec(name);
      return match ? [match] : [];
    });
  }

  has(path: string): boolean {
    return this.#answer.paths.includes(path) || path in this.#answer.files;
  }
}

export interface Read<P extends Probes> {
  parts: Parts<P>;
  gaps: Gap[];
}

/** Reads what all probes want in one native call, then parses each by itself: one that fails takes no other with it. */
export async function readProbes<P extends Probes>(
  probes: P,
  where: Pick<FilesRequest, 'netns' | 'ownSysfs'> = {},
): Promise<Read<P>> {
  const answer = await readFiles({ ...where, ...together(Object.values(probes).map((probe) => probe.wants)) });
  return parseAll(probes, answer);
}

function together(all: readonly Wants[]): Wants {
  const join = (name: keyof Wants) => [...new Set(all.flatMap((wants) => wants[name] ?? []))];
  return {
    files: join('files'),
    fileGlobs: join('fileGlobs'),
    trees: join('trees'),
    skip: join('skip'),
    links: join('links'),
    linkGlobs: join('linkGlobs'),
    pathGlobs: join('pathGlobs'),
  };
}

/** The pure half, for tests from recorded texts. */
export function parseAll<P extends Probes>(probes: P, answer: FilesAnswer): Read<P> {
  const parts: Parts<P> = {};
  const gaps: Gap[] = [...answer.gaps];
  for (const key of Object.keys(probes) as (keyof P & string)[]) {
    const probe = probes[key] as P[typeof key];
    const found = new Found(answer, probe.name);
    try {
      parts[key] = probe.parse(found);
    } catch (error) {
      gaps.push({ probe: probe.name, what: probe.name, reason: `not understood: ${(error as Error).message}` });
    }
    gaps.push(...found.gaps);
  }
  return { parts, gaps };
}
