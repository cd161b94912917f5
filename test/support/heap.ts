import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes of JavaScript that somebody still holds. */
function heldBytes(): number {
  for (let time = 0; time < 3; time++) collect();
  return process.memoryUsage().heapUsed;
}

const ROUNDS = 5;

/**
 * What each turn leaves behind, in bytes of JavaScript: the least of several rounds, since what is filled or compiled now
 * and then grows in some of them, and what nobody lets go of in all.
 */
export async function leftBehind(
  turnsOfARound: number,
  turn: (index: number) => void | Promise<void>,
): Promise<number> {
  const held: number[] = [];
  for (let index = 0; index < ROUNDS * turnsOfARound; index++) {
    await turn(index);
    if ((index + 1) % turnsOfARound === 0) held.push(heldBytes());
  }
  const grown = held.slice(1).map((bytes, round) => bytes - (held[round] ?? 0));
  return Math.min(...grown) / turnsOfARound;
}
