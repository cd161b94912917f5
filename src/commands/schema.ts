import { Args } from '@oclif/core';
import { prettySchemas } from '../report/pretty/schemas.js';
import { writeJson } from '../report/write.js';
import { schemas } from '../services/schema/schemas.js';
import { terminalOf } from '../support/terminal.js';
import { BaseCommand } from './base/command.js';

export default class Schema extends BaseCommand {
  static override summary = 'Print the JSON Schema of what a command prints under --json.';

  static override description =
    'Without a name: which documents there are. With --json the schemas stand in a document with schemaVersion and command, like every other.';

  static override examples = [
    { command: '<%= config.bin %> schema', description: 'Which documents there are' },
    { command: '<%= config.bin %> schema check > check.schema.json', description: 'The schema of one of them' },
  ];

  static override args = { command: Args.string({ description: 'A command, or error, list or snapshot.' }) };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Schema);
    const document = schemas(args.command === undefined ? [] : [args.command]);
    const [only] = document.schemas;
    if (flags.json) await this.print(writeJson(document));
    else if (args.command !== undefined && only) await this.print(writeJson(only.schema));
    else await this.print(prettySchemas(document, terminalOf(process.stdout)));
  }
}
