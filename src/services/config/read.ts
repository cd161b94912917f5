import type { Check } from '../../checks/check.js';
import type { Subject } from '../../model/results.js';
import { nearest } from '../../support/nearest.js';
import type { ConfigFile } from './find.js';
import { parseYaml, type YamlValue } from './parse.js';
import { type Config, emptyConfig, type Severity, type SeverityRule, type Suppression } from './types.js';

const TOP = 'a mapping with suppressions, severity and thresholds';
const SEVERITIES: readonly Severity[] = ['info', 'warn', 'fail'];
const NUMBERS = ['pid', 'tid', 'fd', 'cpu'] as const satisfies readonly (keyof Subject)[];
const TEXTS = [
  'comm',
  'listener',
  'connection',
  'interface',
  'netns',
  'key',
  'file',
  'cgroup',
  'container',
  'device',
] as const satisfies readonly (keyof Subject)[];

/** One file, with every field looked at: a typing error that changes nothing must not pass for a setting. */
export function readConfig(file: ConfigFile, catalogue: readonly Check[]): Config {
  const top = parseYaml(file);
  const config = { ...emptyConfig(), files: [file.path] };
  if (top.isEmpty()) return config;
  const fields = top.fields(TOP, ['suppressions', 'severity', 'thresholds']);
  for (const [name, value] of fields) {
    if (value.isEmpty()) continue;
    if (name === 'suppressions')
      config.suppressions = value
        .items('a list of {id, reason, subject?, expires?}')
        .map((s) => suppression(s, catalogue));
    if (name === 'severity')
      for (const [id, rule] of byCheck(value, catalogue)) config.severity[id] = severityRule(rule);
    if (name === 'thresholds')
      for (const [id, values] of byCheck(value, catalogue)) config.thresholds[id] = thresholds(values, id, catalogue);
  }
  return config;
}

function suppression(value: YamlValue, catalogue: readonly Check[]): Suppression {
  const fields = value.fields('{id, reason, subject?, expires?}', ['id', 'subject', 'reason', 'expires']);
  const idField = fields.get('id') ?? value.complain('a suppression without an id', 'id: the id of a check');
  const id = idField.text('the id of a check');
  if (!catalogue.some((check) => check.id === id)) unknownId(idField, id, catalogue);
  const reason = (
    fields.get('reason') ?? value.complain('a suppression without a reason', 'reason: why the finding is accepted')
  ).text('why the finding is accepted');
  const subject = fields.get('subject');
  const expires = fields.get('expires');
  return {
    id,
    reason,
    ...(subject ? { subject: subjectOf(subject) } : {}),
    ...(expires ? { expires: day(expires) } : {}),
    file: value.file,
    line: value.line,
  };
}

function subjectOf(value: YamlValue): Subject {
  const fields = value.fields('fields of a subject', [...NUMBERS, ...TEXTS]);
  const entries = [...fields].map(([name, field]) => {
    const numeric = (NUMBERS as readonly string[]).includes(name);
    return [
      name,
      numeric ? field.number(`${name} as a number`) : String(field.scalar() ?? field.text(`${name} as text`)),
    ];
  });
  if (entries.length === 0) value.complain('an empty subject', 'at least one field, or no subject at all');
  return Object.fromEntries(entries) as Subject;
}

function day(value: YamlValue): string {
  const text = value.text('a day, YYYY-MM-DD');
  const parsed = new Date(`${text}T00:00:00Z`);
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text) || Number.isNaN(parsed.getTime()) || !parsed.toISOString().startsWith(text))
    value.complain(`"${text}" is no day`, 'a day, YYYY-MM-DD, as in 2026-12-31');
  return text;
}

function severityRule(value: YamlValue): SeverityRule {
  const one = (field: YamlValue) => {
    const text = String(field.scalar());
    return (SEVERITIES as readonly string[]).includes(text)
      ? (text as Severity)
      : field.complain(`"${text}" is no severity`, 'info, warn or fail');
  };
  if (!value.isMap()) return one(value);
  const fields = value.fields('{fail: warn}', SEVERITIES);
  return Object.fromEntries([...fields].map(([from, to]) => [from, one(to)]));
}

function thresholds(value: YamlValue, id: string, catalogue: readonly Check[]): Record<string, number> {
  const declared = catalogue.find((check) => check.id === id)?.thresholds ?? {};
  const known = Object.keys(declared);
  if (known.length === 0) value.complain(`${id} has no thresholds`, 'no entry for it', 'key');
  const describe = (name: string) =>
    `a number for ${name} (${declared[name]?.unit}; the default is ${declared[name]?.default})`;
  const fields = value.fields(`numbers for ${known.join(', ')}`, known);
  return Object.fromEntries([...fields].map(([name, field]) => [name, field.number(describe(name))]));
}

function byCheck(value: YamlValue, catalogue: readonly Check[]): Map<string, YamlValue> {
  const fields = value.fields('a mapping from the ids of checks');
  for (const [id, field] of fields)
    if (!catalogue.some((check) => check.id === id)) unknownId(field, id, catalogue, 'key');
  return fields;
}

function unknownId(value: YamlValue, id: string, catalogue: readonly Check[], at: 'value' | 'key' = 'value'): never {
  const ids = catalogue.map((check) => check.id);
  const like = nearest(id, ids);
  return value.complain(
    `there is no check "${id}"${like.length > 0 ? `; did you mean ${like.join(' or ')}?` : ''}`,
    'the id of a check (sockdoc check --list)',
    at,
  );
}
