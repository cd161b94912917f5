import { prettyHistory } from '../../report/pretty/tune/journal.js';
import { writeJson } from '../../report/write.js';
import { tuneHistory } from '../../services/tune/history.js';
import { terminalOf } from '../../support/terminal.js';
import { BaseCommand } from '../base/command.js';

export default class TuneHistory extends BaseCommand {
  static override summary = 'List what was changed on this host, newest first.';

  static override description =
    'From the journal in /var/lib/sockdoc/tune (of a user: below $XDG_STATE_HOME/sockdoc). A change that was cut off is "unfinished": sockdoc tune revert takes it back.';

  static override examples = [{ command: '<%= config.bin %> tune history', description: 'All changes' }];

  async run(): Promise<void> {
    const { flags } = await this.parse(TuneHistory);
    const document = tuneHistory();
    await this.print(flags.json ? writeJson(document) : prettyHistory(document, terminalOf(process.stdout)));
  }
}
