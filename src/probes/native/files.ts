import type { Gap } from '../../model/gap.js';
import { addon } from './addon.js';

export interface FilesRequest {
  /**
   * Network namespace to enter: "/run/netns/NAME" or "/proc/PID/ns/net"; "new": one that is made for this and gone
   * afterwards; left out: our own.
   */
  netns?: string;
  /** Mount a /sys that shows the devices of that namespace. */
  ownSysfs?: boolean;
  files?: string[];
  /** Patterns as in glob(7): every file that matches is read. */
  fileGlobs?: string[];
  /** Folders read recursively. */
  trees?: string[];
  /** Names of folders inside trees to leave out. */
  skip?: string[];
  links?: string[];
  linkGlobs?: string[];
  /** Patterns whose matches are wanted by name only. */
  pathGlobs?: string[];
}

export interface FilesAnswer {
  files: Record<string, string>;
  links: Record<string, string>;
  paths: string[];
  /** errno names ("ENOENT") by path. */
  errors: Record<string, string>;
  gaps: Gap[];
}

/** What the addon exports of it. */
interface Part {
  files(request: FilesRequest): Promise<string>;
}

/** Reads files inside a network namespace. */
export async function readFiles(request: FilesRequest): Promise<FilesAnswer> {
  return JSON.parse(await addon<Part>().files(request)) as FilesAnswer;
}
