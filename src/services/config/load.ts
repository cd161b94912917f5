import type { Check } from '../../checks/check.js';
import { findConfig } from './find.js';
import { type Config, emptyConfig } from './types.js';

interface Loaded {
  config: Config;
  /** Files that were passed over, with the reason. */
  warnings: string[];
}

/** All that applies here, put together. The YAML parser is loaded only where there is a file. */
export async function loadConfig(named: string | undefined, catalogue: readonly Check[]): Promise<Loaded> {
  const { files, warnings } = findConfig(named);
  if (files.length === 0) return { config: emptyConfig(), warnings };
  const { readConfig } = await import('./read.js');
  return { config: merge(files.map((file) => readConfig(file, catalogue))), warnings };
}

/** Nearest first: suppressions of all files hold; of a severity or a threshold the nearest file's value does. */
export function merge(configs: readonly Config[]): Config {
  const far = [...configs].reverse();
  const thresholds: Config['thresholds'] = {};
  for (const config of far)
    for (const [id, values] of Object.entries(config.thresholds)) thresholds[id] = { ...thresholds[id], ...values };
  return {
    files: configs.flatMap((config) => config.files),
    suppressions: configs.flatMap((config) => config.suppressions),
    severity: Object.assign({}, ...far.map((config) => config.severity)) as Config['severity'],
    thresholds,
  };
}
