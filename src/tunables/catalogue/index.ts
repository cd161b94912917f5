import type { Tunable } from '../tunable.js';
import { buffers } from './buffers.js';
import { host } from './host.js';
import { interfaces } from './interfaces.js';
import { listen } from './listen.js';
import { ports } from './ports.js';
import { receiving } from './receiving.js';
import { tables } from './tables.js';
import { tcp } from './tcp.js';

/** Everything that `tune` may touch. A key stands here once. */
export const tunables: readonly Tunable[] = [
  ...listen,
  ...buffers,
  ...tcp,
  ...ports,
  ...tables,
  ...receiving,
  ...interfaces,
  ...host,
];

const patterns = tunables
  .filter(({ key }) => key.includes('*'))
  .map((tunable) => ({
    tunable,
    pattern: new RegExp(`^${tunable.key.split('*').map(escaped).join(partOf(tunable))}$`),
  }));
const exact = new Map(tunables.filter(({ key }) => !key.includes('*')).map((tunable) => [tunable.key, tunable]));

/** What a key of a row is; undefined for one that `tune` must not touch. */
export const tunableOf = (key: string): Tunable | undefined =>
  exact.get(key) ?? patterns.find(({ pattern }) => pattern.test(key))?.tunable;

/** Names of interfaces may have dots and colons in them; a part of a path or a name of a sysctl ends at its separator. */
function partOf({ kind }: Tunable): string {
  return kind === 'ethtool' ? '[^/\\s]+' : kind === 'sysctl' ? '[^.\\s]+' : '[^/:\\s]+';
}

function escaped(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
}
