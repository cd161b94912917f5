import { Flags, type Interfaces } from '@oclif/core';
import { parseFilter } from '../filter/parse.js';
import type { Filter } from '../model/views/filter.js';
import { CONNECTION_SORTS, type FrameRequest } from '../model/views/request.js';
import { safeJson } from '../report/clean.js';
import { SockdocError, usageError } from '../support/errors.js';
import { untilInterrupted } from '../support/interrupt.js';
import { terminalOf } from '../support/terminal.js';
import { BaseCommand } from './base/command.js';
import { withProgress } from './base/progress.js';
import { targetFlags, targetOf } from './base/target.js';
import { intervalOf } from './base/watch.js';

const DEFAULT_INTERVAL_MS = 1000;
/** Rows of connections that a frame holds: more than anybody scrolls through, and little enough to be handed on. */
const LIMIT = 500;

export default class Top extends BaseCommand {
  static override summary = 'Watch connections, processes, threads, descriptors and interfaces on one screen.';

  static override description = [
    'Joins what is otherwise seen one by one: each connection with its process, its peer, what limits it and how long its threads wait for a CPU. ? shows the keys, ! what could not be seen. Changes nothing, but for the processes that are attached to from the tab of sockets in user space, after a question.',
    'Without a terminal: --once for one frame as text, --json for one document per interval.',
  ].join('\n\n');

  static override examples = [
    { command: '<%= config.bin %> top', description: 'This host, every second' },
    {
      command: '<%= config.bin %> top --filter "state:established rtt>1ms !local"',
      description: 'Only slow connections to other hosts',
    },
    { command: '<%= config.bin %> top --record incident.ndjson.gz', description: 'Keep what is shown' },
    { command: '<%= config.bin %> top --replay incident.ndjson.gz', description: 'Look at it again, anywhere' },
    { command: '<%= config.bin %> top --once --pid 1234', description: 'One process, one frame as text' },
  ];

  static override flags = {
    ...targetFlags,
    interval: Flags.custom<number>({
      description: `Milliseconds from one reading to the next. [default: ${DEFAULT_INTERVAL_MS}]`,
      helpValue: 'MS',
      parse: (text) => Promise.resolve(intervalOf(text)),
    })(),
    filter: Flags.custom<Filter>({
      description: 'Show these connections: "pid:123 state:established port:6379,6380 rtt>500us !local nginx".',
      helpValue: 'FILTER',
      parse: (text) => Promise.resolve(parseFilter(text)),
    })(),
    sort: Flags.option({ options: CONNECTION_SORTS, default: 'rate' as const })({
      description: 'By what connections are sorted, the largest first.',
    }),
    once: Flags.boolean({ description: 'Print a single frame as text, with --json as one document.' }),
    record: Flags.string({
      description: 'Also write each frame to this new file; compressed if it ends in .gz.',
      helpValue: 'FILE',
    }),
    replay: Flags.string({
      description: 'Show what --record wrote, on any machine.',
      helpValue: 'FILE',
      exclusive: ['record', 'interval'],
    }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Top);
    const screen = !flags.once && !flags.json;
    if (screen) requireTerminal();
    const target = targetOf(flags);
    const isTargeted = target.pids.length > 0 || Object.keys(target).length > 1;
    if (flags.replay !== undefined && isTargeted)
      throw usageError('--replay shows what was recorded: choose in it by --filter', {
        next: `Example: sockdoc top --replay ${flags.replay} --filter pid:1234`,
      });
    const { openSource } = await import('../services/watch/open.js');
    const { record, replay } = flags;
    const opened = openSource({
      target,
      atOnce: !screen,
      ...(record === undefined ? {} : { record }),
      ...(replay === undefined ? {} : { replay }),
    });
    const request = requestOf(flags);
    if (flags.once) return this.once(opened.source, request, flags);
    await quietly(() => (flags.json ? this.stream(opened.source, request) : show(opened, request, record)));
  }

  private async once(source: Source, request: FrameRequest, flags: TopFlags): Promise<void> {
    const { oneFrame } = await import('../services/watch/open.js');
    const shown = flags.replay === undefined ? request.intervalMs : 0;
    const frame = await withProgress('reading', shown, () =>
      untilInterrupted((signal) => oneFrame(source, request, signal)),
    );
    if (frame === undefined) return;
    if (flags.json) return this.print(`${safeJson(frame, 0)}\n`);
    const { frameText } = await import('../ui/views/once.js');
    await this.print(frameText(frame, request, terminalOf(process.stdout)));
  }

  private stream(source: Source, request: FrameRequest): Promise<void> {
    return untilInterrupted(async (signal) => {
      for await (const frame of source.start(request, signal)) await this.print(`${safeJson(frame, 0)}\n`);
    });
  }
}

type TopFlags = Interfaces.InferredFlags<typeof Top.flags> & { json?: boolean | undefined };
type Opened = ReturnType<typeof import('../services/watch/open.js').openSource>;
type Source = Opened['source'];

function requestOf({ interval, filter, sort }: TopFlags): FrameRequest {
  return {
    intervalMs: interval ?? DEFAULT_INTERVAL_MS,
    sort,
    reverse: false,
    filter: filter ?? [],
    limit: LIMIT,
    keep: [],
  };
}

function requireTerminal(): void {
  const { interactive } = terminalOf(process.stdout);
  if (interactive && process.stdin.isTTY) return;
  const what = process.stdout.isTTY ? (interactive ? 'the keyboard is' : 'TERM=dumb is') : 'stdout is';
  throw usageError(
    `the screen needs a terminal that can be drawn on, and ${what} ${interactive || !process.stdout.isTTY ? 'not one' : 'none'}`,
    {
      next: 'Without one: sockdoc top --once, sockdoc top --json, or sockdoc conns --watch',
    },
  );
}

/** Ink costs a third of a second to load: only whoever sees the screen waits for it. */
async function show({ source, player }: Opened, request: FrameRequest, recording: string | undefined): Promise<void> {
  const { runSession } = await import('../ui/session.js');
  const { migrationHere } = await import('../services/migrate/in-top.js');
  const { colour, unicode } = terminalOf(process.stdout);
  await untilInterrupted(
    (signal) =>
      runSession(
        {
          frames: (ended) => source.start(request, ended),
          refresh: () => source.refresh(),
          request,
          style: { colour, unicode },
          stdin: process.stdin,
          stdout: process.stdout,
          ...(recording === undefined ? {} : { recording }),
          ...(player === undefined ? { ...migrationHere() } : { player }),
        },
        signal,
      ),
    { mayFinish: true },
  );
}

/** A signal is the usual end of what goes on for ever: nothing is said about it, and the exit code is the signal's. */
async function quietly(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof SockdocError) || error.kind !== 'interrupted') throw error;
    process.exitCode = error.code;
  }
}
