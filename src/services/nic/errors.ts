import { notPossible } from '../../support/errors.js';
import { nearest } from '../../support/nearest.js';

export function noInterface(name: string, names: readonly string[]) {
  const known = [...new Set(names)];
  const like = nearest(name, known);
  const hint = like.length > 0 ? `Did you mean: ${like.join(', ')}?\n` : '';
  return notPossible(`there is no interface "${name}" here`, {
    next: `${hint}There are: ${known.join(', ')}.\nInterfaces of another network namespace: sockdoc nic ${name} --netns all`,
  });
}
