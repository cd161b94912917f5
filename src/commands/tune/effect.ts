import { prettyEffect } from '../../report/pretty/tune/effect.js';
import { writeJson } from '../../report/write.js';
import { untilInterrupted } from '../../support/interrupt.js';
import { terminalOf } from '../../support/terminal.js';
import { changeArgs } from '../base/change.js';
import { BaseCommand } from '../base/command.js';
import { withProgress } from '../base/progress.js';
import { DEFAULT_WINDOW_MS } from '../base/window.js';

export default class TuneEffect extends BaseCommand {
  static override summary = 'Measure the symptoms behind a change again: did it help?';

  static override description =
    'For changes that hold only after a restart of the application, or under another load. Measures over a window of the same length as before the change, and says of each setting: helped, did not help, or cannot be told, with the numbers. Changes nothing.';

  static override examples = [
    { command: '<%= config.bin %> tune effect', description: 'The newest change, after the restart that it needed' },
  ];

  static override args = changeArgs;

  async run(): Promise<void> {
    const { args, flags } = await this.parse(TuneEffect);
    const { measureAgain } = await import('../../services/tune/effect/again.js');
    const document = await withProgress('measuring', DEFAULT_WINDOW_MS, () =>
      untilInterrupted((signal) => measureAgain({ id: args.id, signal })),
    );
    await this.print(flags.json ? writeJson(document) : prettyEffect(document, terminalOf(process.stdout)));
  }
}
