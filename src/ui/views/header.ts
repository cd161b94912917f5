import type { Frame } from '../../model/views/frame.js';
import type { ShortLived } from '../../model/views/short-lived.js';
import { bitRate, bytes, count, milliseconds, percent, perSecond } from '../../report/units.js';
import { cut, type Line, lineWidth, type Span, type Style } from '../draw/spans.js';
import { TABS, type UiState } from '../state/state.js';
import { around, listed } from './detail-lines.js';
import { type Scene, UNREAD } from './tab.js';
import { tabs } from './tabs.js';

/** Where the frames come from, beyond the frame itself. */
export interface Origin {
  intervalMs: number;
  /** The file that they are written to. */
  recording?: string;
  /** Processes of this host can be attached to. */
  canMigrate?: boolean;
  /** The recording that is played. */
  replay?: { position: number; count: number; speed: number; isPaused: boolean; isCut: boolean };
}

/** Host, time and pace; sockets and totals; what ended; the tabs. */
export function headerLines(scene: Scene, origin: Origin): Line[] {
  const { frame, state, columns, style } = scene;
  return [
    spread([[titleLine(frame, origin), stateOf(state, origin)]], columns, style),
    totalsLine(frame),
    spread(lowerLines(frame), columns, style),
    tabsLine(state, columns, style),
  ];
}

function titleLine({ hostname, takenAt, intervalMs }: Frame, origin: Origin): Line {
  const real = intervalMs > 0 ? intervalMs : origin.intervalMs;
  return [
    { text: ' sockdoc top', ink: 'bold' },
    `  ${hostname}  ${localTime(takenAt)}  every ${milliseconds(Math.abs(real - origin.intervalMs) < 50 ? origin.intervalMs : real)}`,
  ];
}

function localTime(takenAt: string): string {
  const at = new Date(takenAt);
  const two = (value: number) => String(value).padStart(2, '0');
  const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${date} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

function stateOf({ paused }: UiState, { recording, replay }: Origin): Span {
  if (replay !== undefined) {
    const end = replay.position === replay.count - 1 ? (replay.isCut ? ', cut off here' : ', the end') : '';
    const pace = replay.isPaused ? ' PAUSED' : replay.speed === 1 ? '' : ` x${replay.speed}`;
    return { text: `REPLAY ${replay.position + 1}/${replay.count}${end}${pace} `, ink: 'magenta' };
  }
  const texts = [paused && 'PAUSED', recording !== undefined && 'RECORDING'].filter((text) => text !== false);
  return { text: texts.length > 0 ? `${texts.join(' ')} ` : '', ink: 'magenta' };
}

function totalsLine({ totals }: Frame): Line {
  if (totals === undefined) return [{ text: ` ${UNREAD}`, ink: 'yellow' }];
  const { sockets, states, sendBps, receiveBps, retransmitsPerS } = totals;
  const many = Object.entries(states)
    .filter(([, value]) => value > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([state, value]) => `${count(value)} ${state}`);
  const lost = around('', perSecond(retransmitsPerS), ' retransmitted');
  return [
    ` ${count(sockets)} TCP sockets`,
    around('  tx ', bitRate(sendBps)) ?? '',
    around('  rx ', bitRate(receiveBps)) ?? '',
    { text: lost === undefined ? '' : `  ${lost}`, ink: (retransmitsPerS ?? 0) > 0 ? 'yellow' : undefined },
    { text: many.length > 0 ? `  ${many.join(', ')}` : '', ink: 'dim' },
  ];
}

/** What ended and what we cost, and how much was not seen: with all there is to say, and with less where that does not fit. */
function lowerLines({ shortLived, self, gaps }: Frame): [Line, Span][] {
  const cost = listed(around('', percent(self.cpuShare), ' CPU'), bytes(self.memoryBytes));
  const own: Span = { text: `${shortLived === undefined ? ' ' : '  '}sockdoc itself: ${cost}`, ink: 'dim' };
  const [full, short] = [gapsSpan(gaps, ', privileges would help'), gapsSpan(gaps, '')];
  if (shortLived === undefined)
    return [
      [[own], full],
      [[own], short],
    ];
  const [ended, rate] = [endedSpan(shortLived), ` ended ${endedRate(shortLived)}`];
  return [
    [[ended, own], full],
    [[ended, own], short],
    [[ended], full],
    [[ended], short],
    [[rate], short],
  ];
}

const endedRate = ({ endedPerS, lost }: ShortLived) => `${lost ? '>=' : ''}${perSecond(endedPerS)}`;

function endedSpan(shortLived: ShortLived): Span {
  const { ended, unseen, unattributed, lost } = shortLived;
  const share = (part: number | undefined) => (ended === 0 || part === undefined ? undefined : percent(part / ended));
  const parts = listed(
    around('', share(unseen), ' too short for any reading'),
    around('', share(unattributed), ' of unknown process'),
    lost && 'events were lost: at least',
  );
  return ` ended ${endedRate(shortLived)}${parts === undefined ? '' : ` (${parts})`}`;
}

function gapsSpan(gaps: Frame['gaps'], help: string): Span {
  if (gaps.length === 0) return '';
  const more = gaps.some(({ needs }) => needs !== undefined && /^(CAP_|root)/.test(needs));
  return { text: `! ${gaps.length} not seen${more ? help : ''} `, ink: 'yellow' };
}

/** What the names shrink to where there is little room; the one that is open is always in brackets. */
function tabsLine({ tab }: UiState, columns: number, style: Style): Line {
  const titles = TABS.map((id, i) => ({ open: id === tab, text: `${i + 1} ${tabs[id].title}` }));
  const line = (short: number): Line =>
    titles.flatMap(({ open, text }) => {
      const shown = open ? text : text.slice(0, short).trimEnd();
      return [{ text: open ? `[${shown}]` : ` ${shown} `, ink: open ? 'inverse' : undefined } as Span];
    });
  const fits = [99, 8, 5, 1].find((short) => lineWidth(line(short), style) <= columns);
  return line(fits ?? 1);
}

/** A line with something at its right end: the first of these that fits, else the last with its left cut. */
function spread(ways: readonly (readonly [Line, Span])[], columns: number, style: Style): Line {
  const room = (right: Span) => columns - lineWidth([right], style);
  const fitting = ways.find(([left, right]) => lineWidth(left, style) < room(right)) ?? ways.at(-1);
  if (fitting === undefined) return [];
  const [left, right] = fitting;
  const blank = room(right) - lineWidth(left, style);
  if (blank > 0) return [...left, ' '.repeat(blank), right];
  const plain = left.map((span) => (typeof span === 'string' ? span : span.text)).join('');
  return [`${cut(plain, Math.max(1, room(right) - 1), style)} `, right];
}
