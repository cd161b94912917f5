import type { TSchema } from '@sinclair/typebox';
import { AdviseDocument } from '../../model/advise.js';
import { BenchCompareDocument, BenchDocument, BenchListDocument } from '../../model/bench.js';
import { DiffDocument } from '../../model/diff.js';
import { ErrorDocument } from '../../model/error.js';
import { ExplainDocument } from '../../model/explain.js';
import { ListDocument } from '../../model/list.js';
import { MigrateDocument } from '../../model/migrate.js';
import {
  MonitorPolicyDocument,
  MonitorStartDocument,
  MonitorStatusDocument,
  MonitorStopDocument,
} from '../../model/monitor.js';
import { CheckDocument } from '../../model/results.js';
import { SchemaDocument } from '../../model/schema.js';
import { Snapshot } from '../../model/snapshot/index.js';
import { TuneEffectDocument } from '../../model/tune/effect.js';
import { Plan } from '../../model/tune/plan.js';
import {
  TuneConfirmDocument,
  TuneDocument,
  TuneHistoryDocument,
  TuneRevertDocument,
  TuneUndoScriptDocument,
  TuneVerifyDocument,
} from '../../model/tune/results.js';
import { ConnectionsDocument } from '../../model/views/connections.js';
import { DescriptorsDocument } from '../../model/views/descriptors.js';
import { Frame } from '../../model/views/frame.js';
import { NicDocument } from '../../model/views/nic.js';
import { SchedulerDocument } from '../../model/views/scheduler.js';
import { usageError } from '../../support/errors.js';
import { nearest } from '../../support/nearest.js';

const DRAFT = 'http://json-schema.org/draft-07/schema#';

/** Every document that is printed or saved, by the name under which `sockdoc schema` knows it. */
const DOCUMENTS: Readonly<Record<string, { title: string; type: TSchema }>> = {
  check: { title: 'sockdoc check --json', type: CheckDocument },
  list: { title: 'sockdoc check --list --json', type: ListDocument },
  explain: { title: 'sockdoc explain ID --json', type: ExplainDocument },
  conns: { title: 'sockdoc conns --json', type: ConnectionsDocument },
  diff: { title: 'sockdoc diff A B --json', type: DiffDocument },
  fds: { title: 'sockdoc fds --json', type: DescriptorsDocument },
  sched: { title: 'sockdoc sched --json', type: SchedulerDocument },
  nic: { title: 'sockdoc nic --json', type: NicDocument },
  monitor: { title: 'sockdoc monitor status --json', type: MonitorStatusDocument },
  'monitor-start': { title: 'sockdoc monitor start --json', type: MonitorStartDocument },
  'monitor-stop': { title: 'sockdoc monitor stop --json', type: MonitorStopDocument },
  'monitor-policy': { title: 'sockdoc monitor policy check --json', type: MonitorPolicyDocument },
  advise: { title: 'sockdoc advise --json', type: AdviseDocument },
  migrate: { title: 'sockdoc migrate --json', type: MigrateDocument },
  bench: { title: 'sockdoc bench run --json, and what bench run --out DIR keeps', type: BenchDocument },
  'bench-list': { title: 'sockdoc bench list --json', type: BenchListDocument },
  'bench-compare': { title: 'sockdoc bench compare --json', type: BenchCompareDocument },
  tune: { title: 'sockdoc tune --json', type: TuneDocument },
  'tune-plan': { title: 'what sockdoc tune --save-plan FILE writes', type: Plan },
  'tune-verify': { title: 'sockdoc tune verify --json', type: TuneVerifyDocument },
  'tune-effect': { title: 'sockdoc tune effect --json', type: TuneEffectDocument },
  'tune-history': { title: 'sockdoc tune history --json', type: TuneHistoryDocument },
  'tune-revert': { title: 'sockdoc tune revert --json', type: TuneRevertDocument },
  'tune-undo-script': { title: 'sockdoc tune undo-script --json', type: TuneUndoScriptDocument },
  'tune-confirm': { title: 'sockdoc tune confirm --json', type: TuneConfirmDocument },
  schema: { title: 'sockdoc schema --json', type: SchemaDocument },
  top: { title: 'sockdoc top --json (one per line), and what sockdoc top --record FILE writes', type: Frame },
  error: { title: 'any command that ends with exit code 2, 3, 4 or 70 under --json', type: ErrorDocument },
  snapshot: { title: 'what sockdoc check --save FILE writes', type: Snapshot },
};

/** The schemas of these names, or all of them. */
export function schemas(names: readonly string[]): SchemaDocument {
  const known = Object.keys(DOCUMENTS);
  for (const name of names) if (!known.includes(name)) throw unknownName(name, known);
  const wanted = names.length > 0 ? names : known;
  return {
    schemaVersion: 1,
    command: 'schema',
    schemas: wanted.flatMap((name) => {
      const document = DOCUMENTS[name];
      return document ? [{ name, title: document.title, schema: plainSchema(document) }] : [];
    }),
  };
}

function plainSchema({ title, type }: { title: string; type: TSchema }): Record<string, unknown> {
  return { $schema: DRAFT, ...(withoutIds(JSON.parse(JSON.stringify(type))) as object), title };
}

/** Types that are used inside others carry an $id, which inside a schema would start a new base for references. */
function withoutIds(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutIds);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([key, item]) => key !== '$id' || typeof item !== 'string');
  return Object.fromEntries(entries.map(([key, item]) => [key, withoutIds(item)]));
}

function unknownName(name: string, known: readonly string[]) {
  const like = nearest(name, known);
  return usageError(`there is no document "${name}"`, {
    next: `${like.length > 0 ? `Did you mean: ${like.join(', ')}?\n` : ''}There are: ${known.join(', ')}.\nExample: sockdoc schema check`,
  });
}
