import { existsSync } from 'node:fs';
import { preloadable } from '../../control/launch/preload.js';
import { libsd } from '../../control/monitor/places.js';
import { type CommandAnswer, inspectCommand, replaceProcess } from '../../probes/native.js';
import { notPossible, SockdocError } from '../../support/errors.js';
import { start } from '../../support/start.js';
import { runningMonitor } from '../monitor/running.js';

interface LaunchOptions {
  transport: 'auto' | 'shm' | 'rdma' | 'kernel';
  /** How long a waiting call looks at memory before it sleeps, in microseconds. */
  spinUs?: number;
  /** The monitor's socket; left out: that of this user or of the system. */
  socket?: string;
  /** How many of our last arguments are the command. */
  count: number;
}

/** As shells say it. */
const NOT_FOUND = 127;
const CANNOT_RUN = 126;
const ENOENT = 2;

/**
 * Becomes the command, under libsd where that can be. Why it cannot goes to `note`, once; it is an error where shared
 * memory was asked for by name. Comes back only by errors.
 */
export async function launch(options: LaunchOptions, note: (text: string) => Promise<void>): Promise<never> {
  if (options.transport === 'rdma')
    throw notPossible('transport between hosts by RDMA is not built yet', {
      next: 'Example: sockdoc run --transport auto -- COMMAND',
    });
  const command = inspectCommand(options.count);
  if (command.errno !== undefined) throw cannotRun(command, command.errno);
  const { set, obstacle } = await preparation(options, command);
  if (obstacle && options.transport === 'shm') throw obstacle;
  if (obstacle) await note(`sockdoc run: on kernel TCP alone: ${textOf(obstacle)}\n`);
  const message = replaceProcess({ count: options.count, drop: ['SOCKDOC_INHERITED'], set, ...start });
  throw new SockdocError('not-possible', CANNOT_RUN, message);
}

interface Preparation {
  /** NAME=VALUE for the command. */
  set: string[];
  obstacle?: SockdocError;
}

async function preparation(options: LaunchOptions, command: CommandAnswer): Promise<Preparation> {
  const { SOCKDOC_DISABLE: disabled = '', LD_PRELOAD: before = '' } = process.env;
  if (options.transport === 'kernel') return { set: before.includes('/libsd') ? ['SOCKDOC_DISABLE=1'] : [] };
  if (disabled !== '' && disabled !== '0') return { set: [], obstacle: notPossible('SOCKDOC_DISABLE is set') };
  if (!existsSync(libsd()))
    return { set: [], obstacle: notPossible(`there is no libsd here (${libsd()}): it is built for x86-64 alone`) };
  const obstacle = command.why === undefined ? undefined : notPossible(`${command.judged} ${command.why}`);
  if (obstacle && command.loaderMinds) return { set: [], obstacle };
  try {
    const set = [`LD_PRELOAD=${extended(before, preloadable(libsd()))}`];
    set.push(`SOCKDOC_MONITOR=${await runningMonitor(options.socket)}`);
    if (options.spinUs !== undefined) set.push(`SOCKDOC_SPIN_US=${options.spinUs}`);
    return { set, ...(obstacle ? { obstacle } : {}) };
  } catch (error) {
    if (!(error instanceof SockdocError)) throw error;
    return {
      set: [],
      obstacle: notPossible(error.message, { cause: error, ...(error.next ? { next: error.next } : {}) }),
    };
  }
}

function extended(before: string, library: string): string {
  const libraries = before.split(/[ :]+/).filter((one) => one !== '');
  return libraries.includes(library) ? before : [...libraries, library].join(':');
}

function cannotRun({ path, message }: CommandAnswer, errno: number): SockdocError {
  if (errno !== ENOENT) return new SockdocError('not-possible', CANNOT_RUN, `${path}: ${message}`);
  const next = 'The command comes after --, as in: sockdoc run -- redis-server --port 6379';
  return new SockdocError('not-possible', NOT_FOUND, `${path}: command not found`, { next });
}

const textOf = ({ message, next }: SockdocError) => (next === undefined ? message : `${message}\n  ${next}`);
