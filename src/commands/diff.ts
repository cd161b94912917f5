import { Args, Flags } from '@oclif/core';
import { FAIL_ON, PROFILES } from '../model/words.js';
import { prettyDiff } from '../report/pretty/diff.js';
import { writeJson } from '../report/write.js';
import { diffExitCode, diffSnapshots } from '../services/compare/run.js';
import { terminalOf } from '../support/terminal.js';
import { BaseCommand } from './base/command.js';

export default class Diff extends BaseCommand {
  static override summary = 'Say what changed that matters between two snapshots.';

  static override description =
    'Compares two files that check --save wrote: findings, sysctls, interfaces, limits, and how fast counters grew. Exit code 0 whatever changed, unless --fail-on says otherwise.';

  static override examples = [
    { command: '<%= config.bin %> diff good.json.gz bad.json.gz', description: 'A good and a bad hour' },
    {
      command: '<%= config.bin %> diff before.json after.json --fail-on warn',
      description: 'Did a change make it worse?',
    },
  ];

  static override args = {
    a: Args.string({ description: 'The snapshot before, or the good one.', required: true }),
    b: Args.string({ description: 'The snapshot after, or the bad one.', required: true }),
  };

  static override flags = {
    profile: Flags.option({ options: PROFILES, default: 'general' as const })({ description: 'As for check.' }),
    config: Flags.string({ description: 'Use this configuration file.', helpValue: 'FILE' }),
    'fail-on': Flags.option({ options: FAIL_ON, default: 'never' as const })({
      description: 'Exit with 1 when a finding of this severity or worse appeared.',
    }),
    verbose: Flags.boolean({ char: 'v', description: 'Show every difference.' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Diff);
    const { profile, config, verbose } = flags;
    const document = await diffSnapshots({
      from: args.a,
      to: args.b,
      profile,
      ...(config === undefined ? {} : { config }),
      warn: (message) => void this.note(`sockdoc diff: ${message}\n`),
    });
    process.exitCode = diffExitCode(document, flags['fail-on']);
    await this.print(
      flags.json ? writeJson(document) : prettyDiff(document, { ...terminalOf(process.stdout), verbose }),
    );
  }
}
