import { execa } from 'execa';
import type { TuneDocument } from '../../src/model/tune/results.js';
import { BIN } from './cli.js';
import type { Netns } from './live.js';

/** `sockdoc tune ARGS --json` in a namespace, with a journal of the test's own; nobody is at its terminal. */
export async function tuneIn(ns: Netns, state: string, ...args: string[]) {
  const command = ['netns', 'exec', ns.name, process.execPath, BIN, 'tune', ...args, '--json'];
  const { exitCode, stdout, stderr } = await execa('ip', command, {
    reject: false,
    stdin: 'ignore',
    env: { SOCKDOC_STATE_DIR: state, HOME: '/nonexistent' },
  });
  try {
    return { code: exitCode, document: JSON.parse(stdout) as TuneDocument & { error?: { message: string } } };
  } catch {
    throw new Error(`sockdoc tune ${args.join(' ')}: exit ${exitCode}\n${stdout}\n${stderr}`);
  }
}
