import { STATE_ALIASES, STATES } from '../../filter/fields.js';
import { usageError } from '../../support/errors.js';
import { nearest } from '../../support/nearest.js';

const CLOSED = ['close', 'bound-inactive'];
const BUCKETS = ['time-wait', 'syn-recv', 'new-syn-recv'];
const CONNECTED = STATES.filter((state) => state !== 'listen' && !CLOSED.includes(state));

/** The groups of ss(8), by its names. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  all: STATES,
  connected: CONNECTED,
  synchronized: CONNECTED.filter((state) => state !== 'syn-sent'),
  bucket: BUCKETS,
  big: STATES.filter((state) => !BUCKETS.includes(state)),
};

/** The states that names of ss, states and groups, stand for; undefined when that is all of them. */
export function statesOf(names: readonly string[]): string[] | undefined {
  const states = new Set(names.flatMap(statesNamed));
  return states.size === 0 || states.size === STATES.length ? undefined : [...states];
}

function statesNamed(name: string): readonly string[] {
  const plain = name.trim().toLowerCase();
  const group = Object.hasOwn(GROUPS, plain) ? GROUPS[plain] : undefined;
  if (group) return group;
  const state = Object.hasOwn(STATE_ALIASES, plain) ? STATE_ALIASES[plain] : plain;
  const known = STATES.find((one) => one === state);
  if (known) return [known];
  const all = [...STATES, ...Object.keys(GROUPS)];
  const like = nearest(plain, all);
  throw usageError(`there is no state "${name}"${like.length > 0 ? `; did you mean ${like.join(' or ')}?` : ''}`, {
    next: `There are: ${all.join(', ')}.\nExample: sockdoc conns --state established,close-wait`,
  });
}
