import { Args, Flags } from '@oclif/core';
import { usageError } from '../support/errors.js';
import { untilInterrupted } from '../support/interrupt.js';
import { terminalOf } from '../support/terminal.js';
import { BaseCommand } from './base/command.js';
import { windowOf } from './base/numbers.js';
import { Steps } from './base/steps.js';
import { pidOf } from './base/target.js';

const DEFAULT_TIMEOUT_S = 10;
const MOST_TIMEOUT_S = 3600;
const DEFAULT_WINDOW_MS = 1000;

export default class Migrate extends BaseCommand {
  static override summary = 'Move the live connections of running processes to shared memory, or back.';

  static override description = [
    'Starts the monitor if none runs, brings libsd into the processes while they run, and waits until their connections have moved: those whose other end is on this host and is attached to as well. Established connections stay, no byte is lost, and nobody reconnects. What a process does not allow, or what would not be safe, is refused with the reason, and the process is left as it was. Traffic and CPU are measured before and after, beside what sockdoc advise predicts.',
    'Ctrl-C takes back what was done. --back takes every connection of the processes to the kernel and libsd out of the way.',
    'Exit code: 0 each named process is as it was asked for; 1 some were refused; 3 all were, for want of permission; 4 all were, for other reasons, or there is no such process; 2 wrong use; 70 a bug of sockdoc; 130 and 143 stopped by SIGINT and SIGTERM.',
  ].join('\n\n');

  static override examples = [
    { command: '<%= config.bin %> migrate 1234 --with-peers --dry-run', description: 'What would be done' },
    {
      command: '<%= config.bin %> migrate 1234 --with-peers',
      description: 'A server, and who talks to it on this host',
    },
    {
      command: '<%= config.bin %> migrate 1234 --with-children --with-peers',
      description: 'A server that forks workers',
    },
    { command: '<%= config.bin %> migrate 1234 --back', description: 'And back' },
  ];

  static override strict = false;

  static override args = { pid: Args.string({ required: true, description: 'Of the processes, one or more.' }) };

  static override usage = 'migrate PID... [--with-peers] [--with-children] [--dry-run] [--back] [--timeout S] [--json]';

  static override flags = {
    'with-peers': Flags.boolean({ description: 'Also the processes that they talk to on this host.' }),
    'with-children': Flags.boolean({ description: 'Also the processes that descend from them.' }),
    'dry-run': Flags.boolean({ description: 'Say what would be done, and do nothing.' }),
    back: Flags.boolean({ description: 'Take all back to the kernel.' }),
    timeout: Flags.custom<number>({
      description: `How long connections may take to move. [default: ${DEFAULT_TIMEOUT_S}]`,
      helpValue: 'S',
      parse: (text) => Promise.resolve(timeoutOf(text)),
    })(),
    window: Flags.custom<number>({
      description: `Measure traffic and CPU for so many milliseconds before and after; 0: do not. [default: ${DEFAULT_WINDOW_MS}]`,
      helpValue: 'MS',
      parse: (text) => Promise.resolve(windowOf(text)),
    })(),
    verbose: Flags.boolean({ char: 'v', description: 'Say all that could not be seen.' }),
  };

  async run(): Promise<void> {
    const { flags, argv } = await this.parse(Migrate);
    const { json = false, verbose } = flags;
    const { migrate } = await import('../services/migrate/run.js');
    const { exitCodeOf } = await import('../services/migrate/outcome.js');
    const { prettyMigrate } = await import('../report/pretty/migrate.js');
    const { writeJson } = await import('../report/write.js');
    const options = {
      pids: [...new Set((argv as string[]).map(pidOf))],
      withPeers: flags['with-peers'] ?? false,
      withChildren: flags['with-children'] ?? false,
      dryRun: flags['dry-run'] ?? false,
      back: flags.back ?? false,
      timeoutMs: (flags.timeout ?? DEFAULT_TIMEOUT_S) * 1000,
      windowMs: flags.window ?? DEFAULT_WINDOW_MS,
    };
    const steps = new Steps(process.stderr);
    let step = 0;
    const tell = (text: string) => steps.show(step++, options.back || options.dryRun ? 2 : 4, text);
    try {
      const document = await untilInterrupted((signal) => migrate(options, signal, tell), { mustFinish: true });
      steps.end();
      process.exitCode = exitCodeOf(document);
      await this.print(
        json ? writeJson(document) : prettyMigrate(document, { ...terminalOf(process.stdout), verbose }),
      );
    } finally {
      steps.end();
    }
  }
}

function timeoutOf(text: string): number {
  const value = Number(text);
  if (/^\d{1,4}(\.\d{1,3})?$/.test(text.trim()) && value <= MOST_TIMEOUT_S) return value;
  throw usageError(`"${text}" is no timeout: seconds from 0 to ${MOST_TIMEOUT_S} were expected`);
}
