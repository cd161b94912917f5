import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const ABI_VERSION = 13;

interface Addon {
  abiVersion: number;
}

let loaded: Addon | undefined;

/** The one loader of the native addon. Each part of it says by its type what it calls; each call answers with one JSON text. */
export function addon<Part>(): Part {
  loaded ??= load();
  return loaded as Part;
}

function load(): Addon {
  const path = fileURLToPath(new URL('../../../build/release/sockdoc.node', import.meta.url));
  if (!existsSync(path)) throw new Error(`the native part is missing (${path}): run npm run build`);
  const candidate = createRequire(import.meta.url)(path) as Addon;
  if (candidate.abiVersion !== ABI_VERSION) {
    throw new Error(
      `the native part is of another build (version ${candidate.abiVersion}, expected ${ABI_VERSION}): run npm run build`,
    );
  }
  return candidate;
}

/** Throws when the native part is missing or of another build. */
export function requireNative(): void {
  addon();
}
