import type { SysctlAssignment, SysctlFiles } from '../model/snapshot/index.js';
import type { FileProbe } from './files.js';

/** In the order of precedence of sysctl.d(5): of files with one name, the one in the earlier folder counts. */
const FOLDERS = [
  '/etc/sysctl.d',
  '/run/sysctl.d',
  '/usr/local/lib/sysctl.d',
  '/usr/lib/sysctl.d',
  '/lib/sysctl.d',
] as const;

/** Applied by `sysctl --system` after all others; systemd-sysctl does not read it. */
const SYSCTL_CONF = '/etc/sysctl.conf';

const PATTERNS = FOLDERS.flatMap((folder) => [`${folder}/*.conf`, `${folder}/.*.conf`]);

/** Where each setting comes from at boot. */
export const sysctlFiles: FileProbe<SysctlFiles> = {
  name: 'sysctl-files',
  wants: {
    pathGlobs: PATTERNS,
    fileGlobs: PATTERNS,
    files: [SYSCTL_CONF],
    links: ['/lib'],
  },
  parse(found) {
    const merged = found.link('/lib') !== undefined; // /lib is /usr/lib: the same files once more
    const paths = found
      .paths(/^(.*)\/[^/]+\.conf$/)
      .filter((match) => !(merged && match[1] === '/lib/sysctl.d'))
      .map((match) => match[0]);
    const { order, masked } = precedence(paths);
    const hasConf = found.text(SYSCTL_CONF) !== undefined || found.error(SYSCTL_CONF) !== 'ENOENT';
    const procps = hasConf ? [...order, SYSCTL_CONF] : order;
    for (const path of procps) if (found.error(path) === 'EACCES') found.missing(path, 'CAP_DAC_READ_SEARCH');
    const assignments = procps.flatMap((path) => parseSysctlFile(path, found.text(path) ?? ''));
    return { assignments, order: { systemd: order.filter(isVisible), procps }, masked };
  },
};

/** systemd passes hidden files over, `sysctl --system` does not. */
const isVisible = (path: string): boolean => !/\/\.[^/]*$/.test(path);

/**
 * Both tools: by file name (bytes, as strcmp) whatever the folder. A name in an earlier folder hides the same name
 * in later ones even when it is a link to /dev/null, or to nothing.
 */
export function precedence(paths: readonly string[]): { order: string[]; masked: SysctlFiles['masked'] } {
  const byName = new Map<string, string>();
  const masked: SysctlFiles['masked'] = [];
  for (const folder of FOLDERS) {
    for (const file of paths.filter((path) => path.startsWith(`${folder}/`)).toSorted()) {
      const name = file.slice(folder.length + 1);
      const by = byName.get(name);
      if (by === undefined) byName.set(name, file);
      else masked.push({ file, by });
    }
  }
  const names = [...byName.keys()].toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return { order: names.map((name) => byName.get(name) as string), masked };
}

/** "key = value", "-key = value", "-key"; comments begin a line with # or ;. Lines are not continued. */
export function parseSysctlFile(file: string, text: string): SysctlAssignment[] {
  return text.split('\n').flatMap((raw, at) => {
    const line = raw.trim();
    if (line === '' || line.startsWith('#') || line.startsWith(';')) return [];
    const ignoreErrors = line.startsWith('-');
    const equals = line.indexOf('=');
    if (equals < 0 && !ignoreErrors) return []; // both tools warn and go on
    const name = line.slice(ignoreErrors ? 1 : 0, equals < 0 ? undefined : equals).trim();
    if (name === '') return [];
    const key = normalKey(name);
    return [
      {
        key,
        ...(equals < 0 ? {} : { value: line.slice(equals + 1).trim() }),
        file,
        line: at + 1,
        ignoreErrors,
        glob: /[*?[]/.test(key),
      },
    ];
  });
}

/**
 * The first separator tells which one separates: after a "." it is ".", and "/" stands for a dot in a name; after a "/"
 * it is "/", and dots are part of names. Gives the first form.
 */
function normalKey(name: string): string {
  const plain = name.replace(/^\/+/, '').replace(/([./])\1+/g, '$1');
  if (/[./]/.exec(plain)?.[0] !== '/') return plain;
  return plain.replace(/[./]/g, (separator) => (separator === '/' ? '.' : '/'));
}
