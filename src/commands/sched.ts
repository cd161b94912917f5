import { Flags } from '@oclif/core';
import { untilInterrupted } from '../support/interrupt.js';
import { terminalOf } from '../support/terminal.js';
import { BaseCommand } from './base/command.js';
import { limitOf } from './base/numbers.js';
import { withProgress } from './base/progress.js';
import { targetFlags, targetOf } from './base/target.js';
import { watchFlags, watchView } from './base/watch.js';
import { DEFAULT_WINDOW_MS, windowFlag } from './base/window.js';

export default class Sched extends BaseCommand {
  static override summary = 'Show how long threads wait for a CPU, those that serve sockets first.';

  static override description = [
    'Run-queue delay is the time from becoming runnable (woken, or pushed off a CPU) to running; wake-up latency is the part of it that began with a wake-up. Histograms of both, per host and CPU, and what each thread did: its use of a CPU, the time it waited, switches and migrations.',
    'As root the kernel counts every wake-up itself (BPF at the tracepoints of the scheduler) while the command runs; without that, sums come from /proc. The histograms are of the whole host whatever is selected. Changes nothing.',
    'Exit code: 0 fine; 2 wrong use; 3 not permitted; 4 no such process; 70 a bug of sockdoc; 130 and 143 stopped by SIGINT and SIGTERM.',
  ].join('\n\n');

  static override examples = [
    { command: '<%= config.bin %> sched', description: 'This host, over one second' },
    { command: '<%= config.bin %> sched --pid 1234 --window 10000', description: 'The threads of one process' },
    { command: '<%= config.bin %> sched --watch', description: 'Again and again' },
  ];

  static override flags = {
    ...targetFlags,
    ...watchFlags,
    window: windowFlag,
    limit: Flags.custom<number>({
      description: 'So many threads at most.',
      helpValue: 'N',
      parse: (text) => Promise.resolve(limitOf(text)),
    })(),
    all: Flags.boolean({ char: 'a', description: 'Every thread, also where a terminal is shown the first.' }),
    verbose: Flags.boolean({ char: 'v', description: 'The same, and all that could not be seen.' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Sched);
    const { limit, verbose } = flags;
    const windowMs = flags.window ?? DEFAULT_WINDOW_MS;
    const options = { target: targetOf(flags), windowMs, ...(limit === undefined ? {} : { limit }) };
    const { SchedView } = await import('../services/sched/run.js');
    const { prettySched } = await import('../report/pretty/sched.js');
    const { writeJson, writeJsonLine } = await import('../report/write.js');
    const view = new SchedView(options);
    const json = flags.json ?? false;
    const shown = { verbose, all: flags.all || verbose };
    try {
      if (flags.watch)
        return await watchView({
          intervalMs: flags.interval,
          json,
          read: (signal) => view.read(signal),
          line: (document) => writeJsonLine(document),
          text: (document, terminal) => prettySched(document, { ...terminal, ...shown }),
        });
      const document = await withProgress('reading', windowMs, () => untilInterrupted((signal) => view.read(signal)));
      const terminal = terminalOf(process.stdout);
      await this.print(json ? writeJson(document) : prettySched(document, { ...terminal, ...shown }));
    } finally {
      await view.close();
    }
  }
}
