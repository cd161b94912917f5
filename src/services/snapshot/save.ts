import { gzipSync } from 'node:zlib';
import type { Snapshot } from '../../model/snapshot/index.js';
import { openAtomic } from '../../support/atomic-file.js';

interface SnapshotFile {
  write(snapshot: Snapshot): void;
  close(): void;
}

/** Makes sure that the file can be written before anything is read. A name that ends in .gz is compressed. */
export function openSave(path: string): SnapshotFile {
  const file = openAtomic(path);
  return {
    write(snapshot) {
      const text = Buffer.from(`${JSON.stringify(snapshot)}\n`);
      file.commit(path.endsWith('.gz') ? gzipSync(text) : text);
    },
    close: () => file.discard(),
  };
}
