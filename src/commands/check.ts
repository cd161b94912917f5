import { Flags, type Interfaces } from '@oclif/core';
import { FAIL_ON, FORMATS, PROFILES } from '../model/words.js';
import { writeCheck } from '../report/write.js';
import type { CheckOptions } from '../services/check/run.js';
import { usageError } from '../support/errors.js';
import { untilInterrupted } from '../support/interrupt.js';
import { terminalOf } from '../support/terminal.js';
import { BaseCommand } from './base/command.js';
import { durationOf } from './base/numbers.js';
import { withProgress } from './base/progress.js';
import { targetFlags, targetOf } from './base/target.js';
import { DEFAULT_WINDOW_MS, windowFlag } from './base/window.js';

export default class Check extends BaseCommand {
  static override summary = 'Find out why the sockets of this host are slow, and what to do about it.';

  static override description = [
    'Reads the host twice, a window apart, and judges what it saw: what is wrong, how that is known, what to do, what it risks and how to take it back. The last line is the one action that matters most. Changes nothing.',
    'Exit code: 0 fine; 1 findings at or above --fail-on; 2 wrong use; 3 not permitted; 4 not possible; 70 a bug of sockdoc; 130 and 143 stopped by SIGINT and SIGTERM.',
  ].join('\n\n');

  static override examples = [
    { command: '<%= config.bin %> check', description: 'This host, over one second' },
    { command: '<%= config.bin %> check --pid 1234 --profile latency', description: 'One process, for latency' },
    { command: '<%= config.bin %> check --for 10m --only listen-overflow', description: 'Trouble that comes and goes' },
    {
      command: '<%= config.bin %> check --save before.json.gz --redact',
      description: 'A masked snapshot to send away',
    },
    {
      command: '<%= config.bin %> check --snapshot before.json.gz --format sarif',
      description: 'Judge a saved snapshot',
    },
  ];

  static override flags = {
    ...targetFlags,
    profile: Flags.option({ options: PROFILES, default: 'general' as const })({
      description: 'What this host is for; some settings are only wrong for one of them.',
    }),
    only: Flags.string({
      description: 'Run this check and no other (may be repeated).',
      helpValue: 'ID',
      multiple: true,
      multipleNonGreedy: true,
      delimiter: ',',
    }),
    skip: Flags.string({
      description: 'Leave this check out (may be repeated).',
      helpValue: 'ID',
      multiple: true,
      multipleNonGreedy: true,
      delimiter: ',',
    }),
    window: windowFlag,
    for: Flags.custom<number>({
      description: 'Look at one window after the other for so long, and report the worst; Ctrl-C ends it early.',
      helpValue: '10m',
      parse: (text) => Promise.resolve(durationOf(text)),
    })(),
    'fail-on': Flags.option({ options: FAIL_ON, default: 'fail' as const })({
      description: 'From which finding on the exit code is 1.',
    }),
    format: Flags.option({ options: FORMATS })({ description: 'How to print the answer. [default: pretty]' }),
    verbose: Flags.boolean({ char: 'v', description: 'Show what passed, and all that could not be seen.' }),
    save: Flags.string({
      description: 'Also write the raw readings, for --snapshot, diff and bug reports; compressed if it ends in .gz.',
      helpValue: 'FILE',
    }),
    snapshot: Flags.string({ description: 'Judge what --save wrote, on any machine.', helpValue: 'FILE' }),
    redact: Flags.boolean({
      description: 'Mask addresses, host and user names, command lines and container ids in all that is written.',
    }),
    config: Flags.string({
      description: 'Use this file in place of .sockdoc.yaml here, in ~/.config/sockdoc and in /etc/sockdoc.',
      helpValue: 'FILE',
    }),
    'show-suppressed': Flags.boolean({ description: 'List the findings that the configuration suppresses.' }),
    list: Flags.boolean({ description: 'List the checks and do nothing.' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Check);
    const format = this.formatOf(flags);
    if (flags.list) return this.list(format);
    const options = optionsOf(flags, (message) => void this.note(`sockdoc check: ${message}\n`));
    const { exitCodeOf, runCheck } = await import('../services/check/run.js');
    const total = options.forMs ?? (options.snapshot === undefined ? options.windowMs : 0);
    const { document, saveError } = await withProgress('reading', total, () =>
      untilInterrupted((signal) => runCheck({ ...options, signal }), { mayFinish: options.forMs !== undefined }),
    );
    if (saveError && format !== 'pretty') throw saveError;
    process.exitCode = exitCodeOf(document, flags['fail-on']);
    const { verbose } = flags;
    await this.print(
      await writeCheck(document, { format, verbose, failOn: flags['fail-on'], terminal: terminalOf(process.stdout) }),
    );
    if (saveError) throw saveError;
  }

  private formatOf({ format, json }: CheckFlags) {
    if (json && format !== undefined && format !== 'json')
      throw usageError(`--json and --format ${format} contradict each other`, {
        next: `Example: sockdoc check --format ${format}`,
      });
    return json ? 'json' : (format ?? 'pretty');
  }

  private async list(format: (typeof FORMATS)[number]): Promise<void> {
    if (format !== 'pretty' && format !== 'json')
      throw usageError(`--list cannot be printed as ${format}`, { next: 'Example: sockdoc check --list --json' });
    const { listChecks } = await import('../services/check/list.js');
    const { writeJson } = await import('../report/write.js');
    const { prettyList } = await import('../report/pretty/list.js');
    const document = listChecks();
    await this.print(format === 'json' ? writeJson(document) : prettyList(document, terminalOf(process.stdout)));
  }
}

type CheckFlags = Interfaces.InferredFlags<typeof Check.flags>;

function optionsOf(flags: CheckFlags, warn: (message: string) => void): Omit<CheckOptions, 'signal'> {
  rejectContradictions(flags);
  const { profile, only = [], skip = [], save, snapshot, redact, config } = flags;
  return {
    target: targetOf(flags),
    profile,
    only,
    skip,
    windowMs: flags.window ?? DEFAULT_WINDOW_MS,
    ...(flags.for === undefined ? {} : { forMs: flags.for }),
    ...(save === undefined ? {} : { save }),
    ...(snapshot === undefined ? {} : { snapshot }),
    ...(config === undefined ? {} : { config }),
    redact,
    showSuppressed: flags['show-suppressed'],
    warn,
  };
}

/** A saved snapshot is what it is: nothing is read again. Masking one anew and saving that is fine. */
function rejectContradictions(flags: CheckFlags): void {
  const live = (['pid', 'unit', 'container', 'cgroup', 'netns', 'window', 'for'] as const).find(
    (n) => flags[n] !== undefined,
  );
  const with_ = live ?? (flags.save !== undefined && !flags.redact ? 'save' : undefined);
  if (flags.snapshot !== undefined && with_ !== undefined)
    throw usageError(`--snapshot and --${with_} contradict each other: a saved snapshot is not read again`, {
      next: 'Example: sockdoc check --snapshot before.json.gz',
    });
  const windowMs = flags.window ?? DEFAULT_WINDOW_MS;
  if (flags.for !== undefined && (windowMs === 0 || windowMs > flags.for))
    throw usageError(`--for ${flags.for} ms has no room for a window of ${windowMs} ms`, {
      next: 'Example: sockdoc check --for 10m --window 1000',
    });
}
