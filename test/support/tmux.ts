import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { BIN } from './cli.js';
import { poll } from './poll.js';

export interface TerminalOptions {
  columns?: number;
  rows?: number;
  env?: Readonly<Record<string, string>>;
  cwd?: string;
}

let counter = 0;

/** A real terminal with a shell in it, by tmux with a server of its own. */
export class TestTerminal {
  readonly #server = `sockdoc-test-${process.pid}-${counter++}`;

  constructor({ columns = 80, rows = 24, env = {}, cwd = tmpdir() }: TerminalOptions = {}) {
    const shell = { HOME: tmpdir(), PATH: process.env.PATH ?? '', LANG: 'C.UTF-8', TZ: 'UTC', PS1: '$ ', ...env };
    const variables = Object.entries(shell).map(([name, value]) => `${name}=${value}`);
    const size = ['-x', String(columns), '-y', String(rows), '-c', cwd];
    this.#tmux(
      '-f',
      '/dev/null',
      'new-session',
      '-d',
      ...size,
      'env',
      '-i',
      'TERM=screen',
      ...variables,
      'bash',
      '--norc',
      '--noprofile',
    );
    this.#tmux('set-option', '-g', 'remain-on-exit', 'on');
  }

  /** What is on the screen, without the blanks at the ends of lines. */
  text({ withColour = false } = {}): string {
    return this.#tmux('capture-pane', '-p', ...(withColour ? ['-e'] : []));
  }

  lines = (): string[] => this.text().replace(/\n$/, '').split('\n');

  /** Keys by their names in tmux (Enter, Escape, C-z, PgDn), or characters. */
  keys(...keys: string[]): void {
    this.#tmux('send-keys', ...keys);
  }

  /** Text as it is typed. */
  type(text: string): void {
    this.#tmux('send-keys', '-l', text);
  }

  /** Gives a command to the shell. */
  run(command: string): void {
    this.type(command);
    this.keys('Enter');
  }

  /** `sockdoc ARGS` in the shell. */
  sockdoc(args: string, prefix = ''): void {
    this.run(`${prefix}${process.execPath} ${BIN} ${args}`);
  }

  resize(columns: number, rows: number): void {
    this.#tmux('resize-window', '-x', String(columns), '-y', String(rows));
  }

  /** Waits for what is to be seen; fails with what was seen instead. */
  async see(what: string | RegExp | ((text: string) => boolean)): Promise<string> {
    const isThere = (text: string) =>
      typeof what === 'function' ? what(text) : typeof what === 'string' ? text.includes(what) : what.test(text);
    try {
      return await poll(String(what), () => {
        const text = this.text();
        return isThere(text) ? text : undefined;
      });
    } catch (error) {
      throw new Error(`${(error as Error).message}; on the screen:\n${this.text()}`);
    }
  }

  /** What the cursor, the alternate screen and the like are set to. */
  modes(): string {
    return this.#tmux('display-message', '-p', '#{alternate_on} #{cursor_flag} #{wrap_flag}').trim();
  }

  /** Pid of what the shell started. */
  async child(): Promise<number> {
    const shell = this.#tmux('display-message', '-p', '#{pane_pid}').trim();
    return poll('the shell has a child', () => {
      const [first] = readFileSync(`/proc/${shell}/task/${shell}/children`, 'utf8').split(' ');
      return Number(first);
    });
  }

  close(): void {
    try {
      this.#tmux('kill-server');
    } catch {
      // It ended already.
    }
  }

  #tmux(...args: string[]): string {
    return execFileSync('tmux', ['-u', '-L', this.#server, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }
}
