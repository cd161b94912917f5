import { Args, Flags } from '@oclif/core';
import { BENCH_FORMATS } from '../../model/bench.js';
import { BaseCommand } from '../base/command.js';

export default class BenchReport extends BaseCommand {
  static override summary = 'Write what bench run --out has kept as a page, a picture or a table.';

  static override examples = [
    {
      command: '<%= config.bin %> bench report bench-1 --format html > bench.html',
      description: 'Charts and tables in one file',
    },
    { command: '<%= config.bin %> bench report bench-1 --format csv', description: 'A line for each repetition' },
  ];

  static override args = {
    dir: Args.string({ description: 'The folder or file of a run.', required: true }),
  };

  static override flags = {
    format: Flags.option({ options: BENCH_FORMATS, default: 'markdown' as const })({ description: 'How to write it.' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(BenchReport);
    const { loadResults } = await import('../../services/bench/files.js');
    const { writeBench } = await import('../../report/bench/write.js');
    const { writeJson } = await import('../../report/write.js');
    const document = loadResults(args.dir);
    await this.print(flags.json ? writeJson(document) : await writeBench(document, flags.format));
  }
}
