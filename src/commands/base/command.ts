import { Command, Flags, type Interfaces } from '@oclif/core';
import { print, printError } from '../../support/output.js';

/** What every command has: `--json`, output that survives a closed pipe, errors that reach main.ts as they are. */
export abstract class BaseCommand extends Command {
  static override baseFlags: Interfaces.FlagInput = {
    json: Flags.boolean({ description: 'Print one JSON document.', helpGroup: 'GLOBAL' }),
  };

  /** stdout: the answer and nothing else. */
  protected readonly print = print;

  /** stderr: for people. */
  protected readonly note = printError;

  /** Errors are reported in one place, for people or as a document. */
  protected override catch(error: Error): Promise<never> {
    throw error;
  }
}
