import { writeJson } from '../../report/write.js';
import { tuneUndoScript } from '../../services/tune/undo-script/run.js';
import { changeArgs } from '../base/change.js';
import { BaseCommand } from '../base/command.js';

export default class TuneUndoScript extends BaseCommand {
  static override summary = 'Print plain shell that takes a change back.';

  static override description =
    'It does what `sockdoc tune revert` does, with the same care for what somebody has changed since, and needs nothing of sockdoc: keep it where you would look for it.';

  static override examples = [
    { command: '<%= config.bin %> tune undo-script > undo.sh', description: 'Of the newest change' },
  ];

  static override args = changeArgs;

  async run(): Promise<void> {
    const { args, flags } = await this.parse(TuneUndoScript);
    const document = tuneUndoScript({ id: args.id });
    await this.print(flags.json ? writeJson(document) : document.script);
  }
}
