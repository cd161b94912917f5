import type { Check } from '../../checks/check.js';
import { checks as catalogue } from '../../checks/registry.js';
import type { ExplainDocument } from '../../model/explain.js';
import type { Result } from '../../model/results.js';
import { packageVersion } from '../../support/version.js';
import { runCheck } from '../check/run.js';
import { requireKnown } from '../check/select.js';
import { tuneCommand } from '../check/tune-command.js';
import { loadConfig } from '../config/load.js';
import type { Config } from '../config/types.js';

export interface ExplainOptions {
  id: string;
  config?: string;
  /** Say what the check finds on this host now … */
  here: boolean;
  /** … or in a saved snapshot. */
  snapshot?: string;
  windowMs: number;
  signal: AbortSignal;
  warn(message: string): void;
}

/** The page of a check, with what the configuration makes of it and, if asked for, what it says here. */
export async function explain(options: ExplainOptions): Promise<ExplainDocument> {
  const check = requireKnown(options.id, catalogue);
  const { config, warnings } = await loadConfig(options.config, catalogue);
  for (const warning of warnings) options.warn(warning);
  const { id, title, category, scope } = check;
  const { tune, sources, ...page } = check.page;
  const results = options.here || options.snapshot !== undefined ? await resultsOf(options) : undefined;
  return {
    schemaVersion: 1,
    command: 'explain',
    version: packageVersion(),
    id,
    title,
    category,
    scope,
    ...page,
    sources: [...sources],
    ...(tune ? { tune: { keys: [...tune.keys], command: tuneCommand(tune.keys, tune.options) } } : {}),
    thresholds: thresholdsOf(check, config),
    configuration: configurationOf(id, config),
    ...(results ? { here: results } : {}),
  };
}

async function resultsOf(options: ExplainOptions): Promise<Result[]> {
  const { id, config, snapshot, windowMs, signal, warn } = options;
  const { document } = await runCheck({
    target: { pids: [] },
    profile: 'general',
    only: [id],
    skip: [],
    windowMs,
    ...(config === undefined ? {} : { config }),
    ...(snapshot === undefined ? {} : { snapshot }),
    redact: false,
    showSuppressed: true,
    signal,
    warn,
  });
  return document.results.filter((result) => result.id === id);
}

function thresholdsOf({ id, thresholds = {} }: Check, config: Config): ExplainDocument['thresholds'] {
  return Object.entries(thresholds).map(([name, { default: preset, unit, description }]) => ({
    name,
    value: config.thresholds[id]?.[name] ?? preset,
    default: preset,
    unit,
    description,
  }));
}

function configurationOf(id: string, config: Config): string[] {
  const rule = config.severity[id];
  const severity =
    rule === undefined
      ? []
      : typeof rule === 'string'
        ? [`its findings are shown as ${rule}`]
        : Object.entries(rule).map(([from, to]) => `its ${from} is shown as ${to}`);
  const suppressions = config.suppressions
    .filter((suppression) => suppression.id === id)
    .map(({ subject, reason, expires, file, line }) => {
      const which = subject ? `findings about ${JSON.stringify(subject)}` : 'its findings';
      return `${which} are suppressed by ${file}:${line}${expires ? ` until ${expires}` : ''}: ${reason}`;
    });
  return [...severity, ...suppressions];
}
