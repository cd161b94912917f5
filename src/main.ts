import { Config, run } from '@oclif/core';
import { usageFromParser } from './commands/base/usage.js';
import { errorJson, errorText } from './report/error.js';
import { EXIT, internalError, type SockdocError } from './support/errors.js';
import { endQuietlyOnClosedPipe, print, printError } from './support/output.js';
import { terminalOf } from './support/terminal.js';

/** Runs the command line; sets the exit code. `root` is the folder of package.json. */
export async function main(root: string, argv: string[]): Promise<void> {
  // Where a developer has set it to something else, React would remember each screen, and oclif look for our sources.
  process.env.NODE_ENV = 'production';
  endQuietlyOnClosedPipe();
  // Without plugins of users: none are meant to be there, and where HOME may not be read oclif would complain.
  const config = await Config.load({ root, userPlugins: false, devPlugins: false });
  try {
    await run(argv, config);
  } catch (error) {
    await report(error, argv, config);
  }
  process.exit(process.exitCode ?? EXIT.ok);
}

async function report(thrown: unknown, argv: string[], config: Config): Promise<void> {
  const exit = exitOf(thrown);
  if (exit !== undefined) {
    process.exitCode = exit;
    return;
  }
  const command = commandOf(argv, config);
  const error = asSockdocError(thrown, argv, config, command?.id);
  const name = command?.id.replaceAll(':', ' ') ?? '';
  process.exitCode = error.code;
  if (wantsJson(argv)) await print(errorJson(error, name));
  else {
    const { unicode } = terminalOf(process.stderr);
    await printError(errorText(error, { command: name, unicode }));
  }
}

/** oclif ends commands by throwing: help that was asked for, this.exit(). */
function exitOf(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown) || thrown.code !== 'EEXIT') return undefined;
  return (thrown as { oclif?: { exit?: number } }).oclif?.exit ?? EXIT.ok;
}

function asSockdocError(thrown: unknown, argv: string[], config: Config, id: string | undefined): SockdocError {
  const usage = usageFromParser(thrown, argv, config, id);
  if (usage) return usage;
  const { message, stack } = thrown instanceof Error ? thrown : { message: String(thrown), stack: undefined };
  return internalError(message, {
    cause: thrown,
    next: [
      `This is a bug of sockdoc ${config.version}, not of your host. Please report it with the lines below and, if you can,`,
      'a masked snapshot: sockdoc check --save sockdoc.json.gz --redact',
      ...(stack ?? '').split('\n').slice(1),
    ].join('\n'),
  });
}

/** The longest beginning of the arguments that names a command. */
function commandOf(argv: string[], config: Config) {
  const words = argv.slice(
    0,
    argv.findIndex((word) => word.startsWith('-')) === -1 ? undefined : argv.findIndex((word) => word.startsWith('-')),
  );
  for (let count = words.length; count > 0; count--) {
    const found = config.findCommand(words.slice(0, count).join(':'));
    if (found) return found;
  }
  return undefined;
}

function wantsJson(argv: string[]): boolean {
  const end = argv.indexOf('--');
  const words = end === -1 ? argv : argv.slice(0, end);
  return words.some(
    (word, i) => word === '--json' || word === '--format=json' || (word === '--format' && words[i + 1] === 'json'),
  );
}
