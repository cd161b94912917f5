import { Flags } from '@oclif/core';
import { launch } from '../services/launch/launch.js';
import { usageError } from '../support/errors.js';
import { BaseCommand } from './base/command.js';

const MOST_SPIN_US = 1_000_000;

export default class Run extends BaseCommand {
  static override summary = 'Run a command with its TCP connections on this host by shared memory.';

  static override description = [
    'Starts the monitor if none runs, then becomes the command: the same process, with its exit status, signals and terminal. A connection goes by shared memory where its other end runs so too; all others stay on kernel TCP, and sockdoc monitor status says why.',
    'Exit code: that of the command; 127 when there is none of this name, 126 when it cannot be executed, and sockdoc’s own when sockdoc run itself fails before.',
  ].join('\n\n');

  static override usage = 'run [--transport auto|shm|rdma|kernel] [--spin US] [--quiet] -- COMMAND...';

  static override examples = [
    { command: '<%= config.bin %> run -- redis-server --port 6379', description: 'A server; its clients likewise' },
    { command: '<%= config.bin %> run --transport shm -- ./server', description: 'Fail where it cannot be' },
  ];

  static override flags = {
    quiet: Flags.boolean({ description: 'Do not say why a command stays on kernel TCP.', char: 'q' }),
    socket: Flags.string({ description: 'Use the monitor that listens here.', helpValue: 'PATH' }),
    spin: Flags.custom<number>({
      description: 'How long a call that waits looks at memory before it sleeps, in microseconds.',
      helpValue: 'US',
      parse: async (text) => spinOf(text),
    })(),
    transport: Flags.option({ options: ['auto', 'shm', 'rdma', 'kernel'] as const, default: 'auto' as const })({
      description: 'auto falls back to kernel TCP, shm is an error where shared memory cannot be.',
    }),
  };

  static override strict = false;

  async run(): Promise<void> {
    const words = this.argv; // parse() puts what it parsed in its place
    const at = words.indexOf('--');
    const { argv, flags } = await this.parse(Run, at < 0 ? words : words.slice(0, at));
    const example = { next: 'Example: sockdoc run -- redis-server --port 6379' };
    const order = 'the flags of sockdoc run come first, then --, then the command';
    if (at >= 0 && argv.length > 0) throw usageError(order, example);
    const count = at < 0 ? argv.length : words.length - at - 1;
    if (count === 0) throw usageError('a command was expected', example);
    // Without -- flags may stand anywhere, and then nobody knows whose they are.
    if (at < 0 && argv.join('\0') !== words.slice(-count).join('\0')) throw usageError(order, example);
    await launch(
      {
        count,
        transport: flags.transport,
        ...(flags.socket === undefined ? {} : { socket: flags.socket }),
        ...(flags.spin === undefined ? {} : { spinUs: flags.spin }),
      },
      flags.quiet ? async () => {} : this.note,
    );
  }
}

function spinOf(text: string): number {
  const value = Number(text);
  if (/^\d{1,7}$/.test(text.trim()) && value <= MOST_SPIN_US) return value;
  throw usageError(`"${text}" is no time to spin: whole microseconds from 0 to ${MOST_SPIN_US} were expected`);
}
