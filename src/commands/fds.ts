import { Args, Flags, type Interfaces } from '@oclif/core';
import type { FdsOptions } from '../services/fds/run.js';
import { usageError } from '../support/errors.js';
import { untilInterrupted } from '../support/interrupt.js';
import { terminalOf } from '../support/terminal.js';
import { BaseCommand } from './base/command.js';
import { limitOf } from './base/numbers.js';
import { withProgress } from './base/progress.js';
import { pidOf, targetFlags, targetOf } from './base/target.js';
import { watchFlags, watchView } from './base/watch.js';
import { DEFAULT_WINDOW_MS, windowFlag } from './base/window.js';

export default class Fds extends BaseCommand {
  static override summary = 'Show what processes have open, how near they are to their limit, and what may leak.';

  static override description = [
    'Without PID one row for each process, the fullest first. With PID every descriptor of it: files, pipes and sockets with who holds the other end, what each epoll set watches, close-on-exec. Reads twice, a window apart, to see what grows. Changes nothing.',
    'Of a process with more than 4096 descriptors the epoll sets are read only with --watches: the kernel keeps the program from collecting events while it lists them, about 1 µs for each.',
    'Exit code: 0 fine; 2 wrong use; 3 not permitted; 4 no such process; 70 a bug of sockdoc; 130 and 143 stopped by SIGINT and SIGTERM.',
  ].join('\n\n');

  static override examples = [
    { command: '<%= config.bin %> fds', description: 'Every process, the fullest first' },
    { command: '<%= config.bin %> fds 1234', description: 'What one process has open' },
    { command: '<%= config.bin %> fds 1234 --window 60000', description: 'What grows within a minute' },
    { command: '<%= config.bin %> fds --unit nginx --watch', description: 'The processes of a unit, again and again' },
  ];

  static override args = {
    pid: Args.custom<number>({
      description: 'The process whose descriptors to list.',
      parse: (text) => Promise.resolve(pidOf(text)),
    })(),
  };

  static override flags = {
    ...targetFlags,
    ...watchFlags,
    window: windowFlag,
    limit: Flags.custom<number>({
      description: 'So many processes at most.',
      helpValue: 'N',
      parse: (text) => Promise.resolve(limitOf(text)),
    })(),
    all: Flags.boolean({ char: 'a', description: 'Every row, also where a terminal is shown the first or a summary.' }),
    verbose: Flags.boolean({ char: 'v', description: 'The same, and all that could not be seen.' }),
    watches: Flags.boolean({ description: 'Read epoll sets of large processes too, which holds them up.' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Fds);
    const options = optionsOf(args.pid, flags);
    const { FdsView } = await import('../services/fds/run.js');
    const { prettyFds } = await import('../report/pretty/fds.js');
    const { writeJson, writeJsonLine } = await import('../report/write.js');
    const view = new FdsView(options);
    const { verbose } = flags;
    const json = flags.json ?? false;
    const all = flags.all || verbose;
    if (flags.watch)
      return watchView({
        intervalMs: flags.interval,
        json,
        read: (signal) => view.read(signal),
        line: (document) => writeJsonLine(document),
        text: (document, terminal) => prettyFds(document, { ...terminal, verbose, all }),
      });
    const document = await withProgress('reading', options.windowMs, () =>
      untilInterrupted((signal) => view.read(signal)),
    );
    const terminal = terminalOf(process.stdout);
    await this.print(json ? writeJson(document) : prettyFds(document, { ...terminal, verbose, all }));
  }
}

function optionsOf(pid: number | undefined, flags: Interfaces.InferredFlags<typeof Fds.flags>): FdsOptions {
  const target = targetOf(flags);
  const { limit } = flags;
  const selecting = Object.entries(target).find(([name, value]) => (name === 'pids' ? target.pids.length > 0 : value));
  if (pid !== undefined && selecting)
    throw usageError(
      `${pid} and --${selecting[0].replace('pids', 'pid')} cannot be used together: a process id alone lists the descriptors of that process`,
      {
        next: `Example: sockdoc fds ${pid}`,
      },
    );
  return {
    ...(pid === undefined ? {} : { pid }),
    target,
    windowMs: flags.window ?? (flags.watch ? (flags.interval ?? DEFAULT_WINDOW_MS) : DEFAULT_WINDOW_MS),
    ...(limit === undefined ? {} : { limit }),
    allWatches: flags.watches,
  };
}
