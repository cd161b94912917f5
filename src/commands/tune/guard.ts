import { Args } from '@oclif/core';
import { runGuard } from '../../services/tune/guard.js';
import { BaseCommand } from '../base/command.js';

/** Started by tune itself for --confirm-within. */
export default class TuneGuard extends BaseCommand {
  static override hidden = true;

  static override summary = 'Watch over a change, and take it back unless it is confirmed.';

  static override args = { id: Args.string({ required: true, description: 'The change.' }) };

  async run(): Promise<void> {
    const { args } = await this.parse(TuneGuard);
    await runGuard(args.id);
  }
}
