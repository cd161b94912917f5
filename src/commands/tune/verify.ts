import { prettyVerify } from '../../report/pretty/tune/journal.js';
import { writeJson } from '../../report/write.js';
import { verifyEntry } from '../../services/tune/verify.js';
import { EXIT } from '../../support/errors.js';
import { terminalOf } from '../../support/terminal.js';
import { changeArgs } from '../base/change.js';
import { BaseCommand } from '../base/command.js';

export default class TuneVerify extends BaseCommand {
  static override summary = 'Say whether a change still holds, and who changed what does not.';

  static override description =
    'Reads each setting of the change again. Exit code 1 when one is no longer as it was written. Who wrote a value leaves no trace in the kernel: a file that sets it, or a running program that is known for it, is named where there is one.';

  static override examples = [
    { command: '<%= config.bin %> tune verify', description: 'The newest change' },
    { command: '<%= config.bin %> tune verify --json', description: 'As a document' },
  ];

  static override args = changeArgs;

  async run(): Promise<void> {
    const { args, flags } = await this.parse(TuneVerify);
    const document = await verifyEntry({ id: args.id });
    process.exitCode = document.ok ? EXIT.ok : EXIT.badNews;
    await this.print(flags.json ? writeJson(document) : prettyVerify(document, terminalOf(process.stdout)));
  }
}
