import type { Namespace } from '../../probes/namespaces.js';

/** How people know a network namespace: by its name, else by its number; undefined for our own. */
export const placeOf = ({ current, name, id }: Pick<Namespace, 'current' | 'name' | 'id'>): string | undefined =>
  current ? undefined : (name ?? id);
