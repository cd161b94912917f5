import { Flags, type Interfaces } from '@oclif/core';
import type { TuneDocument } from '../../model/tune/results.js';
import { PROFILES } from '../../model/words.js';
import { writeJson } from '../../report/write.js';
import type { Prepared } from '../../services/tune/run.js';
import { EXIT, usageError } from '../../support/errors.js';
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
    persist: Flags.boolean({
      description: 'Also for the next start of the host: a file of its own in /etc/sysctl.d, and a unit.',
    }),
    'confirm-within': Flags.custom<number>({
      description: 'Take it back by itself after so many seconds, unless `sockdoc tune confirm` comes first.',
      helpValue: 'SECONDS',
      parse: (text) => Promise.resolve(secondsOf(text)),
    })(),
    verbose: Flags.boolean({ char: 'v', description: 'Name all settings that are left out.' }),
    override: Flags.boolean({ description: 'Write also what a running program owns (tuned, irqbalance, …).' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Tune);
    rejectContradictions(flags);
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
      await this.carryOut(prepared, flags);
    } finally {
      saving?.close();
    }
  }

  private async carryOut(prepared: Prepared, flags: TuneFlags): Promise<void> {
    const { unwritten } = await import('../../services/tune/run.js');
    const onlyShown = flags['dry-run'] || (flags['save-plan'] !== undefined && !flags.yes);
    if (!flags.json) await this.showPlan(prepared, flags);
    if (onlyShown || prepared.plan.rows.length === 0) {
      if (flags.json) await this.print(writeJson(unwritten(prepared)));
      return;
    }
    if (!flags.yes && !(await this.agreed(prepared, flags))) {
      if (flags.json) await this.print(writeJson(unwritten(prepared)));
      else await this.note('Nothing was written.\n');
      return;
    }
    const document = await this.written(prepared, flags);
    if (document.failed) process.exitCode ||= EXIT.badNews;
    if (flags.json) await this.print(writeJson(document));
    else {
      const { prettyChange } = await import('../../report/pretty/tune/change.js');
      await this.print(`\n${prettyChange(document, terminalOf(process.stdout))}`);
    }
  }

  /** The plan stands on the terminal also under --json: nobody is asked about what he has not seen. */
  private async agreed(prepared: Prepared, flags: TuneFlags): Promise<boolean> {
    if (flags.json) {
      const { prettyPlan } = await import('../../report/pretty/tune/plan.js');
      await this.note(prettyPlan(shown(prepared, flags), terminalOf(process.stderr)));
    }
    const { askYes } = await import('../base/ask.js');
    const count = prepared.plan.rows.length;
    return untilInterrupted((signal) => askYes(`\nWrite ${count === 1 ? 'it' : `these ${count} settings`}?`, signal));
  }

  /** A signal while it writes takes back what was written; while it measures, only the measurement is lost. */
  private async written(prepared: Prepared, flags: TuneFlags): Promise<TuneDocument> {
    const { withEffect, write } = await import('../../services/tune/run.js');
    const { persist, override, host } = flags;
    const confirmWithinS = flags['confirm-within'];
    const document = await untilInterrupted(
      async (signal) => {
        const options = {
          persist,
          override,
          host,
          signal,
          ...(confirmWithinS === undefined ? {} : { confirmWithinS }),
        };
        const answer = await write(prepared, options);
        if (signal.aborted) process.exitCode = signal.reason.code;
        return answer;
      },
      { mustFinish: true },
    );
    if (document.failed) return document;
    try {
      const { windowMs } = prepared.view.snapshot;
      return await withProgress('measuring again', windowMs, () =>
        untilInterrupted((signal) => withEffect(prepared, document, signal)),
      );
    } catch (error) {
      // What was written must be told, whatever became of the measurement.
      await this.note(`sockdoc tune: not measured again: ${(error as Error).message}\n`);
      return document;
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

  private async showPlan(prepared: Prepared, flags: TuneFlags): Promise<void> {
    const { prettyPlan } = await import('../../report/pretty/tune/plan.js');
    await this.print(prettyPlan(shown(prepared, flags), terminalOf(process.stdout)));
  }
}

type TuneFlags = Interfaces.InferredFlags<typeof Tune.flags>;

const shown = ({ plan, skipped }: Prepared, { plan: file, verbose }: TuneFlags) => ({
  rows: plan.rows,
  skipped,
  verbose,
  title: file === undefined ? `profile ${plan.profile}` : `the plan of ${plan.madeAt}, ${file}`,
});

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

/** --confirm-within: long enough to type a command, and no longer than a day. */
function secondsOf(text: string): number {
  const seconds = /^\d{1,5}$/.test(text.trim()) ? Number(text) : 0;
  if (seconds >= 5 && seconds <= 86_400) return seconds;
  throw usageError(`"${text}" is no time to confirm in: whole seconds from 5 to 86400 were expected`, {
    next: 'Example: sockdoc tune --yes --confirm-within 60',
  });
}
