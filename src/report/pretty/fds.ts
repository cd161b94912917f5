import type { DescriptorRow, DescriptorsDocument } from '../../model/views/descriptors.js';
import type { Cell, Column } from '../table.js';
import { percent } from '../units.js';
import { writeDescriptors } from './fds-detail.js';
import { shareInk, signed } from './fds-numbers.js';
import { writeGaps } from './gaps.js';
import { type Ink, type Look, Paper } from './paper.js';

interface Options extends Look {
  verbose: boolean;
  /** Every row, also where a person would be shown a summary. */
  all: boolean;
  interactive: boolean;
  /** Height of the terminal where one reading follows the other. */
  rows?: number;
}

/** More rows than these scroll away what matters. */
const MOST_ROWS = 40;
/** Of fs.file-max. */
const NOTABLE = 0.5;

export function prettyFds(document: DescriptorsDocument, options: Options): string {
  const paper = new Paper(options);
  if (document.descriptors) writeDescriptors(paper, document, options);
  else writeProcesses(paper, document, options);
  writeGaps(paper, document.gaps, options);
  return paper.toString();
}

function writeProcesses(paper: Paper, document: DescriptorsDocument, { all, interactive, rows }: Options): void {
  const { processes, matching } = document;
  if (matching === 0) {
    paper.text('No process whose descriptors may be read.');
    return;
  }
  const room = rows === undefined ? MOST_ROWS : Math.max(1, rows - 3 - document.gaps.length * 2);
  const shown = all || !interactive ? processes : processes.slice(0, room);
  writeHost(paper, document);
  paper.table(COLUMNS, shown);
  if (shown.length < matching) paper.text(`and ${matching - shown.length} more processes (--all)`, { ink: 'dim' });
}

/** The limit of the host is far away on most: a line only where it is not. */
function writeHost(paper: Paper, { host }: DescriptorsDocument): void {
  if (!host || host.max <= 0) return;
  const share = host.open / host.max;
  if (share < NOTABLE) return;
  const text = `${host.open} of ${host.max} files are open on the whole host (${percent(share)}, fs.file-max)`;
  paper.text(text, { ink: shareInk(share) ?? 'bold' });
  paper.blank();
}

const count = (value: number | undefined) => (value === undefined || value === 0 ? undefined : value);
const coloured = (text: string | undefined, ink: Ink | undefined): Cell =>
  text === undefined ? undefined : { text, ...(ink ? { ink } : {}) };

const COLUMNS: Column<DescriptorRow>[] = [
  { title: 'PID', cell: ({ pid }) => pid, align: 'right', priority: 0 },
  { title: 'PROCESS', cell: ({ comm }) => comm, priority: 0, min: 8 },
  {
    title: 'OPEN',
    cell: ({ open, usedShare }) => coloured(String(open), shareInk(usedShare)),
    align: 'right',
    priority: 0,
  },
  { title: 'LIMIT', cell: ({ softLimit }) => softLimit ?? '-', align: 'right', priority: 2 },
  {
    title: 'USED',
    cell: ({ usedShare }) => coloured(percent(usedShare), shareInk(usedShare)),
    align: 'right',
    priority: 1,
  },
  { title: 'GROWTH', cell: ({ growthPerS }) => signed(growthPerS), align: 'right', priority: 1 },
  { title: 'TCP', cell: ({ tcp }) => count(tcp), align: 'right', priority: 3 },
  { title: 'UDP', cell: ({ udp }) => count(udp), align: 'right', priority: 5 },
  { title: 'UNIX', cell: ({ unix }) => count(unix), align: 'right', priority: 5 },
  { title: 'FILE', cell: ({ kinds }) => count(kinds?.file), align: 'right', priority: 4 },
  { title: 'PIPE', cell: ({ kinds }) => count(kinds?.pipe), align: 'right', priority: 6 },
  { title: 'EPOLL', cell: ({ epollSets }) => count(epollSets), align: 'right', priority: 6 },
  { title: 'MAY LEAK', cell: suspicions, priority: 2, min: 12, max: 60 },
];

function suspicions({ suspicions: found }: DescriptorRow): Cell {
  if (!found) return undefined;
  return { text: found.map(({ what, count: number }) => `${what} ${number}`).join(', '), ink: 'yellow' };
}
