import { Flags } from '@oclif/core';
import { usageError } from '../support/errors.js';
import { untilInterrupted } from '../support/interrupt.js';
import { terminalOf } from '../support/terminal.js';
import { BaseCommand } from './base/command.js';
import { limitOf, windowOf } from './base/numbers.js';
import { withProgress } from './base/progress.js';
import { pidOf } from './base/target.js';

const DEFAULT_WINDOW_MS = 1000;
const LEAST_WINDOW_MS = 100;

/** What a person is shown without --limit. */
const MOST_PAIRS = 20;

/** What a calibration takes, where none is kept. */
const CALIBRATION_MS = 1000;

export default class Advise extends BaseCommand {
  static override summary = 'Say who talks to whom on this host, and what shared memory would save.';

  static override description = [
    'Pairs of processes whose TCP connections have both ends on this host, in any network namespace that can be seen, those that would gain the most first: their traffic, the CPU that it takes in the socket path of the kernel, what the same messages would take by shared memory, and what stands in the way of moving them. What messages cost here is measured first, in half a second, and kept until the next boot. Changes nothing.',
    'Without root it shows what can be seen, estimates where the CPU may not be sampled, and says what it could not see.',
    'Exit code: 0 fine; 2 wrong use; 3 not permitted; 4 no such process; 70 a bug of sockdoc; 130 and 143 stopped by SIGINT and SIGTERM.',
  ].join('\n\n');

  static override examples = [
    { command: '<%= config.bin %> advise', description: 'This host, over one second' },
    { command: '<%= config.bin %> advise --pid 1234 --window 10000', description: 'What one process would gain' },
    {
      command: '<%= config.bin %> advise --json | jq \'.pairs[] | select(.verdict == "migrate")\'',
      description: 'What can be moved, for a script',
    },
  ];

  static override flags = {
    pid: Flags.custom<number>({
      description: 'Only pairs with this process (may be repeated).',
      helpValue: 'PID',
      multiple: true,
      multipleNonGreedy: true,
      delimiter: ',',
      parse: (text) => Promise.resolve(pidOf(text)),
    })(),
    window: Flags.custom<number>({
      description: `Look for so many milliseconds. [default: ${DEFAULT_WINDOW_MS}]`,
      helpValue: 'MS',
      parse: (text) => Promise.resolve(adviceWindowOf(text)),
    })(),
    limit: Flags.custom<number>({
      description: 'So many pairs at most.',
      helpValue: 'N',
      parse: (text) => Promise.resolve(limitOf(text)),
    })(),
    calibrate: Flags.boolean({ description: 'Measure anew what messages cost.' }),
    verbose: Flags.boolean({ char: 'v', description: 'Every pair, and all that could not be seen.' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Advise);
    const { pid = [], window: windowMs = DEFAULT_WINDOW_MS, verbose, calibrate, json = false } = flags;
    const limit = flags.limit ?? (json || verbose ? undefined : MOST_PAIRS);
    const options = { pids: pid, windowMs, calibrateAnew: calibrate, ...(limit === undefined ? {} : { limit }) };
    const { advise } = await import('../services/advise/run.js');
    const { prettyAdvise } = await import('../report/pretty/advise.js');
    const { writeJson } = await import('../report/write.js');
    const document = await withProgress('looking', windowMs + CALIBRATION_MS, () =>
      untilInterrupted((signal) => advise(options, signal)),
    );
    await this.print(json ? writeJson(document) : prettyAdvise(document, { ...terminalOf(process.stdout), verbose }));
  }
}

function adviceWindowOf(text: string): number {
  const value = windowOf(text);
  if (value >= LEAST_WINDOW_MS) return value;
  throw usageError(`"${text}" is too short a window: at least ${LEAST_WINDOW_MS} ms were expected`);
}
