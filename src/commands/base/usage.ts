import type { Config } from '@oclif/core';
import { SockdocError, usageError } from '../../support/errors.js';
import { nearest } from '../../support/nearest.js';

/** What the command line's parser throws, in our words: what was wrong, what was expected, an example. */
export function usageFromParser(
  thrown: unknown,
  argv: readonly string[],
  config: Config,
  id: string | undefined,
): SockdocError | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const details = { cause: thrown, next: exampleOf(config, id) };
  if (thrown instanceof SockdocError) {
    // A flag's own parser threw it, and oclif put its name around the message.
    if (thrown.kind !== 'usage') return thrown;
    if (!/^Parsing --/.test(thrown.message))
      return thrown.next === undefined ? usageError(plain(thrown.message), details) : thrown;
    return usageError(
      plain(thrown.message),
      thrown.next === undefined ? details : { cause: thrown, next: thrown.next },
    );
  }
  if (!('oclif' in thrown)) return undefined;
  const missing = /^command (\S+) not found/i.exec(thrown.message)?.[1];
  if (missing !== undefined) return unknownCommand(missing, argv, config, id);
  if ('flags' in thrown && Array.isArray(thrown.flags)) {
    const known = Object.keys((id && config.findCommand(id)?.flags) || {});
    return usageError(unknownFlags(thrown.flags, known), details);
  }
  return usageError(plain(thrown.message), details);
}

function unknownCommand(
  missing: string,
  argv: readonly string[],
  config: Config,
  id: string | undefined,
): SockdocError {
  if (id !== undefined && id !== 'help')
    return usageError(`unexpected argument: ${missing.split(':').slice(id.split(':').length).join(' ')}`, {
      next: exampleOf(config, id),
    });
  const wrong = (id === 'help' ? argv[1] : argv[0]) ?? missing;
  const names = config.commandIDs
    .filter((name) => !config.findCommand(name)?.hidden)
    .map((name) => name.replaceAll(':', ' '))
    .sort();
  const like = nearest(wrong, names);
  const hint = like.length > 0 ? `Did you mean: ${like.join(', ')}?` : `There are: ${names.join(', ')}.`;
  return usageError(`there is no command "${wrong}"`, { next: `${hint}\nExample: sockdoc check` });
}

function unknownFlags(wrong: readonly string[], known: readonly string[]): string {
  return wrong
    .map((flag) => {
      const like = nearest(flag.replace(/^-+/, '').replace(/=.*/, ''), known).map((name) => `--${name}`);
      return `unknown flag ${flag}${like.length > 0 ? `; did you mean ${like.join(' or ')}?` : ''}`;
    })
    .join('\n');
}

/** Without what oclif wraps around a message. */
function plain(message: string): string {
  const text = message
    .replace(/^Parsing --(\S+) *\n\t/, '--$1: ')
    .replace(/\nSee more help with --help$/, '')
    .replace(/^The following errors? occurred:\s*/, '')
    .replace(/^Flag --/, '--')
    .replace(/^Missing \d+ required args?:\s*/, 'missing argument: ');
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function exampleOf(config: Config, id: string | undefined): string {
  const [example] = (id && config.findCommand(id)?.examples) || [];
  const text = typeof example === 'string' ? example : example?.command;
  const command = (text ?? '<%= config.bin %> check').replaceAll('<%= config.bin %>', config.bin);
  const help = id === undefined ? 'help' : `${id.replaceAll(':', ' ')} --help`;
  return `Example: ${command}\nMore: ${config.bin} ${help}`;
}
