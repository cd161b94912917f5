import { netnsIdentity } from '../../../control/settings/netns.js';
import type { NetnsIdentity } from '../../../model/tune/plan.js';
import { notPermitted } from '../../../support/errors.js';
import { chooseNamespaces } from '../../diagnose/collecting/namespaces.js';

/** The namespace that is to be tuned: the path by which it is entered ("" is our own), and which it is. */
export interface Place {
  path: string;
  identity: NetnsIdentity;
}

/** `netns`: its name, a pid in it, or the path of either; left out: our own. */
export async function placeOf(netns: string | undefined): Promise<Place> {
  const { namespaces } = await chooseNamespaces(netns, undefined);
  const path = namespaces[0]?.path ?? '';
  const identity = await netnsIdentity(path);
  if (identity) return { path, identity };
  throw notPermitted(`network namespace ${netns} cannot be entered`, { next: 'Run the same command with sudo.' });
}
