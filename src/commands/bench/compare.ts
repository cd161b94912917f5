import { Args } from '@oclif/core';
import { EXIT } from '../../support/errors.js';
import { terminalOf } from '../../support/terminal.js';
import { BaseCommand } from '../base/command.js';

export default class BenchCompare extends BaseCommand {
  static override summary = 'Compare two runs of bench: which results differ by more than their repetitions do.';

  static override description =
    'Exit code 1 when something is worse in the second run, by more than the repetitions differ among themselves. What else differs between the runs (host, kernel, versions) is listed.';

  static override examples = [
    { command: '<%= config.bin %> bench compare bench-1 bench-2', description: 'Before and after a change' },
  ];

  static override args = {
    a: Args.string({ description: 'The folder or file of the run before.', required: true }),
    b: Args.string({ description: 'That of the run after.', required: true }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(BenchCompare);
    const { loadResults } = await import('../../services/bench/files.js');
    const { compareResults } = await import('../../services/bench/compare.js');
    const { writeJson } = await import('../../report/write.js');
    const { prettyComparison } = await import('../../report/pretty/bench.js');
    const [from, to] = [args.a, args.b].map((path) => ({ path, document: loadResults(path) }));
    if (!from || !to) return;
    const document = compareResults(from, to);
    process.exitCode = document.compared.some(({ verdict }) => verdict === 'worse') ? EXIT.badNews : EXIT.ok;
    await this.print(flags.json ? writeJson(document) : prettyComparison(document, terminalOf(process.stdout)));
  }
}
