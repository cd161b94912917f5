import { type Kept, withLines } from './lines.js';

/** After distributions' own files (99-sysctl.conf among them), so that it wins; what still comes later is said. */
export const SYSCTL_FILE = '/etc/sysctl.d/99-zz-sockdoc.conf';

const HEAD = `# Settings that \`sockdoc tune --persist\` made, for the next start of this host.
# Take them back with \`sockdoc tune revert\`, which removes their lines here too.
`;

/** The text with these settings; null: there is no file yet. */
export function withSettings(text: string | null, settings: readonly Kept[]): string {
  return withLines(
    text ?? HEAD,
    settings.map(({ key, value }) => `${written(key)} = ${value}`),
    (line) => /^-?([^#;=\s]+)\s*=/.exec(line)?.[1],
  );
}

/** Keys with a dot inside of a name (a VLAN's "eth0.100") are written with slashes, which both tools understand. */
const written = (key: string): string =>
  key.includes('/')
    ? key
        .split('.')
        .map((part) => part.replaceAll('/', '.'))
        .join('/')
    : key;

/** Whether nothing is set any more. */
export const isEmptySysctlFile = (text: string): boolean =>
  text.split('\n').every((line) => line === '' || HEAD.split('\n').includes(line));
