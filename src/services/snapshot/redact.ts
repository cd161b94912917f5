import type { Snapshot } from '../../model/snapshot/index.js';
import { type Keyed, keyed } from './redact/keyed.js';
import { maskText } from './redact/text.js';

/** Versions look like addresses ("7.10.1.2") and times are no secret: left alone. */
const PLAIN_FIELDS = new Set([
  'version',
  'kernel',
  'firmware',
  'takenAt',
  'bootedAt',
  'format',
  'arch',
  'cookie',
  'bus',
  'distribution',
  'rate',
]);

/** Where names of the host and of its users may turn up; elsewhere the same word means something else. */
const FREE_FIELDS = new Set([
  'comm',
  'path',
  'label',
  'cgroup',
  'container',
  'file',
  'text',
  'detail',
  'what',
  'reason',
  'value',
  'by',
  'systemd',
  'procps',
  'name',
]);

const HOME = /(\/home\/)([^/"\\\s:]+)/g;

/**
 * A copy without addresses, host and user names, command lines, hardware addresses and ids of containers. Masks are the
 * same throughout the snapshot, so the checks find in it what they find in the original.
 */
export function redact(snapshot: Snapshot, key: Keyed = keyed()): Snapshot {
  const names = namesIn(snapshot);
  const masked = walk(snapshot, '', { key, names }) as Snapshot;
  return { ...masked, redacted: true, host: { ...masked.host, hostname: 'masked-host' } };
}

interface Context {
  key: Keyed;
  /** Name → its mask. */
  names: ReadonlyMap<string, string>;
}

function walk(value: unknown, field: string, context: Context): unknown {
  if (typeof value === 'string') return maskField(value, field, context);
  if (Array.isArray(value)) return value.map((item) => walk(item, field, context));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [maskText(name, context.key), walk(item, name, context)]),
  );
}

function maskField(text: string, field: string, context: Context): string {
  if (PLAIN_FIELDS.has(field)) return text;
  if (field === 'commandLine') return maskCommandLine(text, context);
  if (field === 'nodeGuid')
    return text.replace(/[0-9a-f]+/gi, (group) => context.key.hex(`guid/${text}/${group}`, group.length));
  if (/(?:host|domain|node)name$/.test(field)) return text === '(none)' ? text : 'masked-host';
  if (/(?:_key|_secret)$/.test(field)) return 'masked';
  const masked = maskText(text, context.key).replace(HOME, (_, folder: string, user: string) => {
    return `${folder}${context.names.get(user) ?? user}`;
  });
  return FREE_FIELDS.has(field) ? replaceNames(masked, context.names) : masked;
}

/** The program stays: it says no more than the name of the process does. */
function maskCommandLine(text: string, { key, names }: Context): string {
  const [program = '', ...rest] = text.split(/[\s\0]+/);
  const name = replaceNames(maskText(program.slice(program.lastIndexOf('/') + 1), key), names);
  return rest.length === 0 ? name : `${name} [masked]`;
}

/** The host's name, its first part, and everybody who has a home directory that a path of the snapshot goes through. */
function namesIn(snapshot: Snapshot): Map<string, string> {
  const names = new Map<string, string>();
  const users = new Set<string>();
  const text = JSON.stringify(snapshot);
  for (const [, user] of text.matchAll(/\/(?:home|Users|var\/home|export\/home)\/([^/"\\\s:]+)/g))
    users.add(user as string);
  for (const [, user] of text.matchAll(/user@([a-z_][\w-]*)\.service/g)) users.add(user as string);
  [...users].sort().forEach((user, i) => {
    names.set(user, `user-${i + 1}`);
  });
  const { hostname } = snapshot.host;
  for (const name of [hostname, hostname.split('.')[0] as string])
    if (name.length > 2 && !/^localhost/.test(name)) names.set(name, 'masked-host');
  return names;
}

function replaceNames(text: string, names: ReadonlyMap<string, string>): string {
  let masked = text;
  for (const [name, mask] of names) {
    const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    masked = masked.replace(new RegExp(`(?<![A-Za-z0-9])${escaped}(?![A-Za-z0-9])`, 'g'), mask);
  }
  return masked;
}
