import type { Ink } from '../look.js';
import { perSecond } from '../units.js';

/** Red where the limit is all but reached, yellow where it is near. */
export const shareInk = (share: number | undefined): Ink | undefined =>
  share === undefined || share < 0.8 ? undefined : share >= 0.95 ? 'red' : 'yellow';

/** "+3/s", "-0.5/s", "0" */
export function signed(value: number | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (value === 0) return '0';
  return `${value > 0 ? '+' : '-'}${perSecond(Math.abs(value))}`;
}
