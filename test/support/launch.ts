import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BIN } from './cli.js';

/** What people call: it notes what it was given before Node starts. */
export const LAUNCHER = fileURLToPath(new URL('../../bin/sockdoc', import.meta.url));

interface Ending {
  stdout: string;
  stderr: string;
  status: number | null;
  signal: NodeJS.Signals | null;
}

interface RunOptions {
  env?: Readonly<Record<string, string>>;
  input?: string | Buffer;
  cwd?: string;
  /** By `node bin/run.js` rather than by its launcher. */
  byNode?: boolean;
}

/** `sockdoc run FLAGS… -- COMMAND…`, or whatever stands there. */
export function sockdocRun(args: readonly string[], options: RunOptions = {}): Ending {
  const [file, ...before] = options.byNode ? [process.execPath, BIN] : [LAUNCHER];
  return ending(file as string, [...before, 'run', ...args], options);
}

export function ending(file: string, args: readonly string[], { env = {}, input = '', cwd }: RunOptions = {}): Ending {
  const { stdout, stderr, status, signal } = spawnSync(file, args, {
    env: { PATH: process.env.PATH ?? '', HOME: '/nonexistent', LANG: 'C.UTF-8', ...env },
    input,
    encoding: 'utf8',
    timeout: 60_000,
    killSignal: 'SIGKILL',
    ...(cwd === undefined ? {} : { cwd }),
  });
  return { stdout, stderr, status, signal };
}

const [CLASS_32, CLASS_64, LITTLE_ENDIAN] = [1, 2, 1];
const [MACHINE_386, MACHINE_X86_64] = [3, 62];
const [PT_LOAD, PT_NOTE] = [1, 4];
const BASE = 0x400000n;

/** Machine code of `exit(9)` by the kernel's own numbers. */
const EXIT_64 = Buffer.from([0xb8, 60, 0, 0, 0, 0xbf, 9, 0, 0, 0, 0x0f, 0x05]);
const EXIT_32 = Buffer.from([0xb8, 1, 0, 0, 0, 0xbb, 9, 0, 0, 0, 0xcd, 0x80]);

/** A file of 64 bits without a loader that ends with status 9; with a note as Go's linker writes it, if wanted. */
export function bareProgram(folder: string, name: string, { go = false } = {}): string {
  const note = go ? Buffer.from('\x04\0\0\0\x04\0\0\0\x04\0\0\0Go\0\0abcd', 'latin1') : Buffer.alloc(0);
  const [headBytes, segmentBytes] = [64, 56];
  const code = BigInt(headBytes + 2 * segmentBytes);
  const size = code + BigInt(EXIT_64.length + note.length);
  const head = elfHead(CLASS_64, MACHINE_X86_64, headBytes);
  head.writeBigUInt64LE(BASE + code, 24);
  head.writeBigUInt64LE(BigInt(headBytes), 32);
  head.writeUInt16LE(headBytes, 52);
  head.writeUInt16LE(segmentBytes, 54);
  head.writeUInt16LE(go ? 2 : 1, 56);
  const segment = (type: number, offset: bigint, bytes: bigint) => {
    const made = Buffer.alloc(segmentBytes);
    made.writeUInt32LE(type, 0);
    made.writeUInt32LE(5, 4);
    for (const [value, at] of [
      [offset, 8],
      [BASE + offset, 16],
      [BASE + offset, 24],
      [bytes, 32],
      [bytes, 40],
      [4096n, 48],
    ] as const)
      made.writeBigUInt64LE(value, at);
    return made;
  };
  const noteAt = code + BigInt(EXIT_64.length);
  const segments = [segment(PT_LOAD, 0n, size), segment(PT_NOTE, noteAt, BigInt(note.length))];
  return written(folder, name, Buffer.concat([head, ...segments, EXIT_64, note]));
}

/** A file of 32 bits that ends with status 9 where the kernel runs such. */
export function narrowProgram(folder: string, name: string): string {
  const [headBytes, segmentBytes] = [52, 32];
  const code = headBytes + segmentBytes;
  const head = elfHead(CLASS_32, MACHINE_386, headBytes);
  head.writeUInt32LE(Number(BASE) + code, 24);
  head.writeUInt32LE(headBytes, 28);
  head.writeUInt16LE(headBytes, 40);
  head.writeUInt16LE(segmentBytes, 42);
  head.writeUInt16LE(1, 44);
  const segment = Buffer.alloc(segmentBytes);
  const words = [PT_LOAD, 0, Number(BASE), Number(BASE), code + EXIT_32.length, code + EXIT_32.length, 5, 4096];
  for (const [i, word] of words.entries()) segment.writeUInt32LE(word, i * 4);
  return written(folder, name, Buffer.concat([head, segment, EXIT_32]));
}

function elfHead(kind: number, machine: number, bytes: number): Buffer {
  const head = Buffer.alloc(bytes);
  head.write('\x7fELF', 'latin1');
  head.set([kind, LITTLE_ENDIAN, 1], 4);
  head.writeUInt16LE(2, 16);
  head.writeUInt16LE(machine, 18);
  head.writeUInt32LE(1, 20);
  return head;
}

function written(folder: string, name: string, content: Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  chmodSync(path, 0o755);
  return path;
}
