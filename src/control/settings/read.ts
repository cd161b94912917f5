import type { Link } from '../../model/snapshot/index.js';
import { type Setting, settingOf } from '../../model/tune/keys.js';
import { readFiles, readLinks } from '../../probes/native.js';
import { sysctlValue } from '../../probes/sysctl-names.js';
import { type Place, placeOf } from './where.js';

/** One setting as it is now, or the errno name that says why it cannot be read. */
export type Reading = { value: string; startTicks?: number } | { errno: string };

/**
 * Reads settings by their keys, in one visit of the namespace for each kind ("" is our own). A key that is none is
 * EINVAL; an interface that is gone ENODEV, what its driver does not have EOPNOTSUPP, a process that has ended ESRCH.
 */
export async function readSettings(keys: readonly string[], netns = ''): Promise<Map<string, Reading>> {
  const settings = new Map([...new Set(keys)].map((key) => [key, settingOf(key)]));
  const of = <K extends Setting['kind']>(kind: K) =>
    [...settings].flatMap(([key, setting]) =>
      setting?.kind === kind ? [{ key, setting: setting as Extract<Setting, { kind: K }> }] : [],
    );
  const read = new Map<string, Reading>();
  for (const [key, setting] of settings) if (!setting) read.set(key, { errno: 'EINVAL' });
  await readPlaces([...of('sysctl'), ...of('sysfs')], netns, read);
  await readEthtool(of('ethtool'), netns, read);
  await readLimits(of('limit'), read);
  return read;
}

interface Wanted<K extends Setting['kind']> {
  key: string;
  setting: Extract<Setting, { kind: K }>;
}

async function readPlaces(
  wanted: readonly Wanted<'sysctl' | 'sysfs'>[],
  netns: string,
  read: Map<string, Reading>,
): Promise<void> {
  const places = wanted.map(({ key, setting }) => ({ key, kind: setting.kind, place: placeOf(setting, netns) }));
  const visits = new Map<string, typeof places>();
  for (const one of places) visits.set(visitOf(one.place), [...(visits.get(visitOf(one.place)) ?? []), one]);
  for (const group of visits.values()) {
    const { path: _, ...where } = (group[0] as (typeof group)[number]).place;
    const answer = await readFiles({ ...where, files: group.map(({ place }) => place.path) });
    const entered = answer.gaps.length === 0;
    for (const { key, kind, place } of group) {
      const text = answer.files[place.path];
      if (text === undefined) read.set(key, { errno: answer.errors[place.path] ?? (entered ? 'EIO' : 'EPERM') });
      else read.set(key, { value: kind === 'sysfs' ? chosen(sysctlValue(text)) : sysctlValue(text) });
    }
  }
}

const visitOf = ({ netns, ownSysfs }: Place): string => `${netns ?? ''} ${ownSysfs ?? false}`;

/** "always [madvise] never" is "madvise". */
const chosen = (line: string): string => /(?:^| )\[([^\]\s]+)\](?: |$)/.exec(line)?.[1] ?? line;

async function readEthtool(
  wanted: readonly Wanted<'ethtool'>[],
  netns: string,
  read: Map<string, Reading>,
): Promise<void> {
  if (wanted.length === 0) return;
  const { links } = await readLinks({ netns });
  for (const { key, setting } of wanted) {
    const link = links.find(({ name }) => name === setting.interface);
    const value = link && fieldOf(link, setting.field);
    read.set(key, value === undefined ? { errno: link ? 'EOPNOTSUPP' : 'ENODEV' } : { value });
  }
}

/** "rings.rx", "features.rx-gro" of a link: a number, "on" or "off". */
function fieldOf(link: Link, field: string): string | undefined {
  const [topic, name] = split(field);
  if (topic === 'features') return onOff(link.features?.[name]?.on);
  if (topic !== 'rings' && topic !== 'channels' && topic !== 'coalescing') return undefined;
  const value = (link[topic] as Record<string, number | boolean | undefined> | undefined)?.[name];
  return typeof value === 'number' ? String(value) : onOff(value);
}

function split(field: string): [string, string] {
  const dot = field.indexOf('.');
  return [field.slice(0, dot), field.slice(dot + 1)];
}

const onOff = (on: boolean | undefined): string | undefined => (on === undefined ? undefined : on ? 'on' : 'off');

const LIMITS: Readonly<Record<string, string>> = { nofile: 'Max open files', memlock: 'Max locked memory' };

async function readLimits(wanted: readonly Wanted<'limit'>[], read: Map<string, Reading>): Promise<void> {
  if (wanted.length === 0) return;
  const files = wanted.flatMap(({ setting: { pid } }) => [`/proc/${pid}/limits`, `/proc/${pid}/stat`]);
  const answer = await readFiles({ files });
  for (const { key, setting } of wanted) {
    const limits = answer.files[`/proc/${setting.pid}/limits`];
    const stat = answer.files[`/proc/${setting.pid}/stat`];
    const name = LIMITS[setting.resource];
    const line = name && limits?.split('\n').find((one) => one.startsWith(`${name} `));
    const [soft, hard] = line
      ? line
          .slice((name as string).length)
          .trim()
          .split(/ +/)
      : [];
    if (limits === undefined || stat === undefined) read.set(key, { errno: 'ESRCH' });
    else if (soft === undefined || hard === undefined) read.set(key, { errno: 'EINVAL' });
    // The command's name may hold blanks and brackets: fields are counted from its end. The start is the 22nd.
    else
      read.set(key, {
        value: `${soft}:${hard}`,
        startTicks: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]),
      });
  }
}

/** The other settings of an interface that its driver may change along with one of them: those of ethtool that can be set. */
export async function ethtoolKeys(name: string, netns: string): Promise<string[]> {
  const { links } = await readLinks({ netns });
  const link = links.find((one) => one.name === name);
  if (!link) return [];
  const numbers = (topic: 'rings' | 'channels' | 'coalescing', fields: readonly string[]) =>
    fields.filter((field) => fieldOf(link, `${topic}.${field}`) !== undefined).map((field) => `${topic}.${field}`);
  const changeable = Object.entries(link.features ?? {}).filter(([, feature]) => feature.changeable);
  return [
    ...numbers('rings', ['rx', 'tx']),
    ...numbers('channels', ['rx', 'tx', 'combined']),
    ...numbers('coalescing', ['rxUsecs', 'rxFrames', 'txUsecs', 'txFrames', 'adaptiveRx', 'adaptiveTx']),
    ...changeable.map(([feature]) => `features.${feature}`),
  ].map((field) => `ethtool:${name}:${field}`);
}
