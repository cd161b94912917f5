import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Runs the body with `--config FILE` arguments that set thresholds of checks. Load on a busy machine of two cores
 * cannot be promised; that there is some can.
 */
export async function withThresholds<T>(
  thresholds: Readonly<Record<string, Readonly<Record<string, number>>>>,
  body: (args: string[]) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'sockdoc-config-'));
  try {
    const file = join(folder, 'sockdoc.yaml');
    writeFileSync(file, JSON.stringify({ thresholds })); // JSON is YAML
    return await body(['--config', file]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
