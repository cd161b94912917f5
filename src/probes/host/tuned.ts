import type { Found } from '../files.js';

/** Where tuned looks for profiles: the administrator's before its own. */
export const TUNED_PROFILES = [
  '/etc/tuned/profiles',
  '/etc/tuned',
  '/usr/lib/tuned/profiles',
  '/usr/lib/tuned',
] as const;

const GOVERNOR = '/sys/devices/system/cpu/*/cpufreq/scaling_governor';
const HUGE_PAGES = '/sys/kernel/mm/transparent_hugepage/enabled';

/** Sysctls and files that profiles ("network-latency my-own") set, with those that they include; "*" for each CPU. */
export function tunedKeys(found: Found, profiles: string): string[] {
  const keys = new Set<string>();
  const seen = new Set<string>();
  const waiting = words(profiles);
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    if (seen.has(name)) continue;
    seen.add(name);
    for (const { section, key, value } of assignments(textOf(found, name))) {
      if (section === 'main' && key === 'include') waiting.push(...words(value));
      const set = keyOf(section, key);
      if (set !== undefined) keys.add(set);
    }
  }
  return [...keys].toSorted();
}

function textOf(found: Found, profile: string): string {
  for (const folder of TUNED_PROFILES) {
    const text = found.text(`${folder}/${profile}/tuned.conf`);
    if (text !== undefined) return text;
  }
  return '';
}

function keyOf(section: string, key: string): string | undefined {
  if (section === 'sysctl' || (section === 'sysfs' && key.startsWith('/'))) return key;
  if (section === 'cpu' && key === 'governor') return GOVERNOR;
  return section === 'vm' && key === 'transparent_hugepages' ? HUGE_PAGES : undefined;
}

/** "key=value" below "[section]"; lines that begin with # or ; are comments. */
function assignments(text: string): { section: string; key: string; value: string }[] {
  let section = '';
  return text.split('\n').flatMap((raw) => {
    const line = raw.trim();
    section = /^\[(.+)\]$/.exec(line)?.[1] ?? section;
    const [, key, value = ''] = /^([^#;[=][^=]*?)\s*=\s*(.*)$/.exec(line) ?? [];
    return key === undefined ? [] : [{ section, key, value }];
  });
}

const words = (text: string): string[] => text.split(/[\s,]+/).filter(Boolean);
