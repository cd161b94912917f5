/** The parts of native/abi/messages.h that the command line speaks; docs/protocol/monitor.md describes them. */

const VERSION = 2;
const HEADER_BYTES = 16;
/** A status with very many clients; more is no answer of ours. */
const MAX_BYTES = 64 << 20;

export const TYPE = { status: 7, stop: 8, refused: 64, done: 71, text: 72 } as const;
export const REASON = { otherVersion: 2, notPermitted: 29 } as const;

export interface Message {
  type: number;
  body: Buffer;
}

/** Of the shared memory, as native/abi/direction.h has it: libsd and the monitor have to have the same. */
export const MEMORY_VERSION = 8;

/** A request that is a header only: the same in every version. */
export function requestOf(type: number, version = VERSION): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(HEADER_BYTES, 0);
  header.writeUInt16LE(version, 4);
  header.writeUInt16LE(type, 6);
  header.writeBigUInt64LE(1n, 8);
  return header;
}

/** The first message in `bytes` once it is whole; an error when it can never be one. */
export function messageIn(bytes: Buffer): Message | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const length = bytes.readUInt32LE(0);
  if (length < HEADER_BYTES || length > MAX_BYTES) throw new Error(`a message of ${length} bytes`);
  if (bytes.length < length) return undefined;
  return { type: bytes.readUInt16LE(6), body: bytes.subarray(HEADER_BYTES, length) };
}

/** What `refused` says. */
export function refusalIn(body: Buffer): { reason: number; version: number } {
  return { reason: body.readUInt32LE(0), version: body.readUInt32LE(8) };
}
