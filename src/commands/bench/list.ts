import { terminalOf } from '../../support/terminal.js';
import { BaseCommand } from '../base/command.js';

export default class BenchList extends BaseCommand {
  static override summary = 'List the suites of benchmarks, and what each needs.';

  static override examples = [{ command: '<%= config.bin %> bench list', description: 'What can be measured here' }];

  async run(): Promise<void> {
    const { flags } = await this.parse(BenchList);
    const { listSuites } = await import('../../services/bench/list.js');
    const { writeJson } = await import('../../report/write.js');
    const { prettySuites } = await import('../../report/pretty/bench.js');
    const document = listSuites();
    await this.print(flags.json ? writeJson(document) : prettySuites(document, terminalOf(process.stdout)));
  }
}
