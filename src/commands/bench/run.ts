import { Flags } from '@oclif/core';
import { BENCH_TRANSPORTS } from '../../model/bench.js';
import { EXIT, usageError } from '../../support/errors.js';
import { untilInterrupted } from '../../support/interrupt.js';
import { terminalOf } from '../../support/terminal.js';
import { BaseCommand } from '../base/command.js';
import { durationOf } from '../base/numbers.js';
import { Steps } from '../base/steps.js';

export default class BenchRun extends BaseCommand {
  static override summary = 'Measure what sockets cost on this host, by kernel TCP, UNIX sockets and shared memory.';

  static override description = [
    'The work runs in native processes, each on a CPU of its own; transports take turns, so that good and bad moments of the machine meet all of them; every repetition is kept. Shared memory is the same program under sockdoc run, with a monitor of the benchmark’s own, and is only called so when the connections really were upgraded. Changes nothing, and needs no root.',
    'Exit code: 0 measured; 1 something that was asked for could not be measured; 2 wrong use; 3 not permitted; 4 not possible here; 70 a bug of sockdoc; 130 and 143 stopped by SIGINT and SIGTERM.',
  ].join('\n\n');

  static override usage =
    'bench run SUITE... [--transport kernel,unix,shm] [--duration TIME] [--cpus A,B] [--out DIR] [--quick]';

  static override examples = [
    { command: '<%= config.bin %> bench run rtt --quick', description: 'Round trips, in seconds' },
    { command: '<%= config.bin %> bench run rtt throughput apps --out bench-1', description: 'All, kept in a folder' },
    {
      command: '<%= config.bin %> bench run rtt --transport kernel,shm --cpus 2,3',
      description: 'Two of them, elsewhere',
    },
  ];

  static override strict = false;

  static override flags = {
    transport: Flags.string({
      description: 'What to measure, separated by commas.',
      helpValue: 'NAMES',
      default: BENCH_TRANSPORTS.join(','),
    }),
    duration: Flags.custom<number>({
      description: 'Of each repetition, as in 500ms or 2s. [default: 500ms, 100ms with --quick]',
      helpValue: 'TIME',
      parse: (text) => Promise.resolve(durationOf(text)),
    })(),
    cpus: Flags.string({
      description: 'The CPU of the server, that of the client; one alone is for both. [default: the first two]',
      helpValue: 'A,B',
    }),
    out: Flags.string({ description: 'Keep the results in this folder, for compare and report.', helpValue: 'DIR' }),
    quick: Flags.boolean({ description: 'Fewer cases, shorter: seconds, not minutes.' }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(BenchRun);
    const suites = argv.map(String);
    if (suites.length === 0)
      throw usageError('a suite was expected', {
        next: 'Example: sockdoc bench run rtt --quick\nAll: sockdoc bench list',
      });
    const { cpusOf, transportsOf, checkedDuration } = await import('../../services/bench/options.js');
    const { runBench } = await import('../../services/bench/run.js');
    const { suitesOf } = await import('../../services/bench/suites.js');
    const { openResults } = await import('../../services/bench/files.js');
    const { writeJson } = await import('../../report/write.js');
    const { prettyBench } = await import('../../report/pretty/bench.js');
    suitesOf(suites); // before a folder is made
    const options = {
      suites,
      transports: transportsOf(flags.transport),
      quick: flags.quick,
      ...(flags.duration === undefined ? {} : { durationMs: checkedDuration(flags.duration) }),
      ...(flags.cpus === undefined ? {} : { cpus: cpusOf(flags.cpus) }),
    };
    const kept = flags.out === undefined ? undefined : openResults(flags.out);
    const steps = new Steps(process.stderr);
    try {
      const progress = steps.show.bind(steps);
      const document = await untilInterrupted((signal) => runBench({ ...options, progress }, signal), {
        mayFinish: true,
      });
      steps.end();
      kept?.commit(Buffer.from(writeJson(document)));
      process.exitCode = document.notMeasured.some(({ transport }) => transport !== undefined) ? EXIT.badNews : EXIT.ok;
      await this.print(flags.json ? writeJson(document) : prettyBench(document, terminalOf(process.stdout)));
    } finally {
      steps.end();
      kept?.discard();
    }
  }
}
