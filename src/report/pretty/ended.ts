import type { EndedConnections, ShortLived } from '../../model/views/short-lived.js';
import { perSecond } from '../units.js';

const MOST = 5;

/** What ended between two readings, in a paragraph: how much, what of it no table could show, and of whom. */
export function endedText({ ended, endedPerS, unseen, failed, by, unattributed, lost }: ShortLived): string {
  const attempts = failed ? [`${failed} ${failed === 1 ? 'attempt' : 'attempts'} to connect failed`] : [];
  if (ended === 0) return ['No connection ended', ...attempts].join(' · ');
  return [
    `${lost ? 'at least ' : ''}${ended} ${ended === 1 ? 'socket' : 'sockets'} of connections ended (${perSecond(endedPerS)})`,
    ...(unseen ? [`${unseen === ended ? 'all' : unseen} too short for any reading`] : []),
    ...attempts,
    ...(by.length > 0 ? [listed(by)] : []),
    ...(unattributed > 0 ? [`${unattributed} of unknown process`] : []),
  ].join(' · ');
}

function listed(by: readonly EndedConnections[]): string {
  const more = by.length > MOST ? [`${by.length - MOST} more`] : [];
  return [...by.slice(0, MOST).map(rowText), ...more].join(', ');
}

function rowText({ side, pid, comm, processes, port, count }: EndedConnections): string {
  const who = comm === undefined ? 'unknown' : `${comm}${pid === undefined ? '' : `[${pid}]`}`;
  const many = processes === undefined ? '' : ` (${processes} processes)`;
  return `${count} ${who}${many} ${side === 'accepting' ? 'accepted on' : 'connected to'} port ${port}`;
}
