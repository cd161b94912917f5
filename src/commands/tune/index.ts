import { Flags, type Interfaces } from '@oclif/core';
import { PROFILES } from '../../model/words.js';
import { writeJson } from '../../report/write.js';
import type { Prepared } from '../../services/tune/prepare.js';
import { notPossible, usageError } from '../../support/errors.js';
import { untilInterrupted } from '../../support/interrupt.js';
import { terminalOf } from '../../support/terminal.js';
import { BaseCommand } from '../base/command.js';
import { withProgress } from '../base/progress.js';
import { DEFAULT_WINDOW_MS, windowFlag } from '../base/window.js';

const keys = (description: string) =>
  Flags.string({
    description: `${description} "*" stands for anything; may be repeated.`,
    helpValue: 'KEY',
    multiple: true,
    multipleNonGreedy: true,
    delimiter: ',',
  });

export default class Tune extends BaseCommand {
  static override summary =
    'Change the settings that the findings ask for, measure whether it helped, and be able to take it back.';

  static override description = [
    'Reads the host as `check` does and shows what it would set: now → then, why, the risk, who owns the key now. Then it asks, writes a journal, writes, reads back, and measures the symptom again. Limits are never lowered.',
    'In a network namespace that is not the initial one only what belongs to it is touched; the rest is left out unless --host.',
    'Exit code: 0 fine, also when there is nothing to do; 1 a write failed and all was undone; 2 wrong use; 3 not permitted; 4 not possible; 70 a bug of sockdoc; 130 and 143 stopped by SIGINT and SIGTERM.',
  ].join('\n\n');

  static override examples = [
    { command: '<%= config.bin %> tune --dry-run', description: 'What it would do, and why' },
    { command: '<%= config.bin %> tune --profile throughput', description: 'With a goal; asks before it writes' },
    { command: '<%= config.bin %> tune --save-plan plan.json', description: 'A plan for review' },
    {
      command: '<%= config.bin %> tune --plan plan.json --yes --confirm-within 60',
      description: 'Apply it; undone in a minute unless confirmed',
    },
  ];

  static override flags = {
    profile: Flags.option({ options: PROFILES, default: 'general' as const })({
      description: 'What this host is for. general: only what findings ask for.',
    }),
    'dry-run': Flags.boolean({ description: 'Show the plan and write nothing.' }),
    'save-plan': Flags.string({
      description: 'Write the plan into a file, for review and for --plan; applies nothing without --yes.',
      helpValue: 'FILE',
    }),
    plan: Flags.string({
      description: 'Take this plan; refused when the host is no longer what it was made for.',
      helpValue: 'FILE',
      exclusive: ['profile', 'save-plan'],
    }),
    only: keys('Only these settings; also those that are opportunities rather than trouble.'),
    skip: keys('Leave these settings out.'),
    host: Flags.boolean({ description: 'Also what belongs to the whole host, from within a network namespace.' }),
    limits: Flags.boolean({ description: 'Also limits of running processes (prlimit).' }),
    netns: Flags.string({
      description: 'Another network namespace, by its name (ip netns) or a pid in it.',
      helpValue: 'NAME|PID',
    }),
    window: windowFlag,
    yes: Flags.boolean({ char: 'y', description: 'Do not ask.' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Tune);
    rejectContradictions(flags);
    if (!flags['dry-run'] && (flags.yes || flags['save-plan'] === undefined))
      throw notPossible('this version plans, and does not write yet', {
        next: 'See what it would do: sockdoc tune --dry-run',
      });
    const windowMs = flags.window ?? DEFAULT_WINDOW_MS;
    const saving =
      flags['save-plan'] === undefined
        ? undefined
        : (await import('../../services/tune/plan/save.js')).openPlan(flags['save-plan']);
    try {
      const prepared = await withProgress('reading', windowMs, () =>
        untilInterrupted((signal) => this.prepared(flags, windowMs, signal)),
      );
      saving?.write(prepared.plan);
      await this.show(prepared, flags);
    } finally {
      saving?.close();
    }
  }

  private async prepared(flags: TuneFlags, windowMs: number, signal: AbortSignal): Promise<Prepared> {
    const { prepare } = await import('../../services/tune/prepare.js');
    const { profile, only = [], skip = [], host, limits, netns } = flags;
    return prepare(
      {
        profile,
        windowMs,
        ...(netns === undefined ? {} : { netns }),
        choice: { only, skip, host, limits },
        signal,
        warn: (message) => void this.note(`sockdoc tune: ${message}\n`),
      },
      flags.plan,
    );
  }

  private async show({ plan, skipped }: Prepared, flags: TuneFlags): Promise<void> {
    if (flags.json) {
      const { schemaVersion } = plan;
      await this.print(
        writeJson({
          schemaVersion,
          command: 'tune',
          profile: plan.profile,
          plan: plan.rows,
          applied: [],
          skipped,
          id: null,
        }),
      );
      return;
    }
    const { prettyPlan } = await import('../../report/pretty/tune/plan.js');
    await this.print(
      prettyPlan({ rows: plan.rows, skipped, title: titleOf(plan, flags.plan) }, terminalOf(process.stdout)),
    );
  }
}

type TuneFlags = Interfaces.InferredFlags<typeof Tune.flags>;

const titleOf = ({ profile, madeAt }: Prepared['plan'], file: string | undefined): string =>
  file === undefined ? `profile ${profile}` : `the plan of ${madeAt}, ${file}`;

/** Nothing is asked of somebody who is not there. */
function rejectContradictions(flags: TuneFlags): void {
  if (flags['dry-run'] && flags.yes)
    throw usageError('--dry-run and --yes contradict each other', { next: 'Example: sockdoc tune --dry-run' });
  const asks = !flags['dry-run'] && !flags.yes && flags['save-plan'] === undefined;
  if (asks && !process.stdin.isTTY)
    throw usageError('there is no terminal to ask on, and neither --yes nor --dry-run was given', {
      next: 'See what it would do: sockdoc tune --dry-run\nDo it without asking: sockdoc tune --yes',
    });
  if (flags.netns === 'all')
    throw usageError('--netns all: a plan is made for one network namespace', {
      next: 'Example: sockdoc tune --netns NAME',
    });
}
