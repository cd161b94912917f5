import { Args } from '@oclif/core';
import { prettyConfirm } from '../../report/pretty/tune/journal.js';
import { writeJson } from '../../report/write.js';
import { confirmEntry } from '../../services/tune/confirm.js';
import { terminalOf } from '../../support/terminal.js';
import { BaseCommand } from '../base/command.js';

export default class TuneConfirm extends BaseCommand {
  static override summary = 'Keep a change that would revert by itself.';

  static override description =
    'Answers `sockdoc tune --confirm-within SECONDS`, from any session. With --persist the files for the next start are written now.';

  static override examples = [{ command: '<%= config.bin %> tune confirm', description: 'Keep it' }];

  static override args = {
    id: Args.string({
      description: 'As `sockdoc tune history` lists it, or its beginning; left out: the one that waits.',
    }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(TuneConfirm);
    const document = await confirmEntry({ id: args.id });
    await this.print(flags.json ? writeJson(document) : prettyConfirm(document, terminalOf(process.stdout)));
  }
}
