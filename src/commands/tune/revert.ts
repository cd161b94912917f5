import { prettyRevert } from '../../report/pretty/tune/journal.js';
import { writeJson } from '../../report/write.js';
import { revertEntry } from '../../services/tune/revert.js';
import { EXIT } from '../../support/errors.js';
import { terminalOf } from '../../support/terminal.js';
import { changeArgs } from '../base/change.js';
import { BaseCommand } from '../base/command.js';

export default class TuneRevert extends BaseCommand {
  static override summary = 'Give settings back the values that they had before a change.';

  static override description =
    'Only what still has the value that was written is taken back; anything else somebody has changed since, and it is kept and named (exit code 1). A change in a network namespace is taken back in that one.';

  static override examples = [
    { command: '<%= config.bin %> tune revert', description: 'The newest change' },
    { command: '<%= config.bin %> tune revert 20260102-030405678-a1', description: 'A certain one' },
  ];

  static override args = changeArgs;

  async run(): Promise<void> {
    const { args, flags } = await this.parse(TuneRevert);
    const document = await revertEntry({ id: args.id });
    process.exitCode = document.kept.length === 0 ? EXIT.ok : EXIT.badNews;
    await this.print(flags.json ? writeJson(document) : prettyRevert(document, terminalOf(process.stdout)));
  }
}
