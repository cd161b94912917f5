import { Args, Flags } from '@oclif/core';
import { prettyExplain } from '../report/pretty/explain.js';
import { writeJson } from '../report/write.js';
import { explain } from '../services/explain/explain.js';
import { usageError } from '../support/errors.js';
import { untilInterrupted } from '../support/interrupt.js';
import { terminalOf } from '../support/terminal.js';
import { BaseCommand } from './base/command.js';
import { windowOf } from './base/numbers.js';
import { withProgress } from './base/progress.js';

const DEFAULT_WINDOW_MS = 1000;

export default class Explain extends BaseCommand {
  static override summary = 'Explain a check: what happens, how it is read, when it speaks, what to do.';

  static override description =
    'Prints the page of a check without touching the network. With --here or --snapshot it also says what the check finds there, and why.';

  static override examples = [
    { command: '<%= config.bin %> explain listen-overflow', description: 'The page of a check' },
    { command: '<%= config.bin %> explain listen-overflow --here', description: 'And why it fires on this host' },
  ];

  static override args = { id: Args.string({ description: 'The id of a check (check --list).', required: true }) };

  static override flags = {
    here: Flags.boolean({ description: 'Run the check on this host and say why it fires.' }),
    snapshot: Flags.string({ description: 'Say what it finds in a saved snapshot.', helpValue: 'FILE' }),
    window: Flags.custom<number>({
      description: `With --here: milliseconds between the two readings. [default: ${DEFAULT_WINDOW_MS}]`,
      helpValue: 'MS',
      parse: (text) => Promise.resolve(windowOf(text)),
    })(),
    config: Flags.string({ description: 'Use this configuration file.', helpValue: 'FILE' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Explain);
    const { here, snapshot, config, window } = flags;
    if (snapshot !== undefined && (here || window !== undefined))
      throw usageError(`--snapshot and ${here ? '--here' : '--window'} contradict each other`, {
        next: `Example: sockdoc explain ${args.id} --snapshot before.json.gz`,
      });
    const windowMs = window ?? DEFAULT_WINDOW_MS;
    const document = await withProgress('reading', here ? windowMs : 0, () =>
      untilInterrupted((signal) =>
        explain({
          id: args.id,
          here,
          ...(snapshot === undefined ? {} : { snapshot }),
          ...(config === undefined ? {} : { config }),
          windowMs,
          signal,
          warn: (message) => void this.note(`sockdoc explain: ${message}\n`),
        }),
      ),
    );
    await this.print(flags.json ? writeJson(document) : prettyExplain(document, terminalOf(process.stdout)));
  }
}
