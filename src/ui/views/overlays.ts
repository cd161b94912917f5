import { FILTER_FIELDS } from '../../model/views/filter.js';
import type { Line } from '../draw/spans.js';
import { heading, labelled } from './detail-lines.js';
import type { Origin } from './header.js';
import type { Prepared, Scene } from './tab.js';

/** The lines that lie over the table; undefined when none do. */
export function overlayLines(scene: Scene, prepared: Prepared, origin: Origin): readonly Line[] | undefined {
  const { overlay } = scene.state;
  if (overlay?.kind === 'help') return helpLines(scene, origin);
  if (overlay?.kind === 'gaps') return gapLines(scene);
  if (overlay?.kind !== 'detail') return undefined;
  return prepared.detail(overlay.key) ?? [[' It is gone.'], [], [{ text: ' Esc leads back.', ink: 'dim' }]];
}

const KEYS: readonly (readonly [string, string])[] = [
  ['Tab, 1-6', 'the tabs; Shift-Tab, left and right too'],
  ['up, down', 'move; also j and k, PgUp and PgDn, Home and End, g and G'],
  ['Enter', 'everything about the row; Esc or Enter leads back'],
  ['s, S', 'sort by the next, or the previous, of the columns'],
  ['r', 'the smallest first, and back'],
  ['/', 'filter; Enter keeps it, Esc restores the one before'],
  ['a, d', 'in User space: attach to the chosen process, detach from it; asks first'],
  ['p, Space', 'pause, and go on'],
  ['!', 'what could not be seen, and why'],
  ['?, h', 'this help'],
  ['Ctrl-L', 'draw everything anew'],
  ['Ctrl-Z', 'to the shell; fg comes back'],
  ['q, Ctrl-C', 'quit'],
];

const PLAYER: readonly (readonly [string, string])[] = [
  ['p, Space', 'pause the recording, and go on'],
  ['left, right', 'one frame back, one forward'],
  ['[ ]', 'to the first, to the last frame'],
  ['< >', 'half as fast, twice as fast'],
];

function helpLines({ columns }: Scene, { replay }: Origin): readonly Line[] {
  const rows = (keys: typeof KEYS) => keys.flatMap(([key, text]) => labelled(key, text, columns));
  return [
    heading('Keys'),
    ...rows(KEYS.filter(([key]) => !(replay && key === 'p, Space'))),
    ...(replay ? [[], heading('Of the recording'), ...rows(PLAYER)] : []),
    [],
    heading('Filter'),
    ...labelled('Example', 'pid:123 state:established port:6379,6380 rtt>500us !local nginx', columns),
    ...labelled('Terms', 'all must hold; commas are alternatives; ! or - negates; quotes keep words together', columns),
    ...labelled(
      'Operators',
      ': = != > >= < <=   a trailing * matches a beginning, a word alone the name of a process',
      columns,
    ),
    ...labelled('Units', 'ns us ms s m h; k M G, Ki Mi Gi; bits per second, or MB/s', columns),
    ...labelled('Fields', FILTER_FIELDS.join(' '), columns),
    [],
    heading('Signs'),
    ...labelled('>', 'the row that is chosen', columns),
    ...labelled('!', 'wants attention: Enter says why', columns),
    ...labelled('LIMITED BY', 'what keeps a connection from sending faster', columns),
    ...labelled('WAITS/s', 'time runnable but without a CPU, of each second, all threads together', columns),
    ...labelled('empty', 'not known: the kernel does not say, or may not tell us', columns),
  ];
}

function gapLines({ frame, columns }: Scene): readonly Line[] {
  if (frame.gaps.length === 0) return [heading('Nothing was left unseen.')];
  return [
    heading('Not seen'),
    ...frame.gaps.flatMap(({ probe, what, reason, needs, count }) => {
      const times = count !== undefined && count > 1 ? ` (${count} times)` : '';
      const help = needs === undefined ? '' : `; ${needs} would help`;
      return labelled(probe, `${what}${times}: ${reason}${help}`, columns);
    }),
  ];
}
