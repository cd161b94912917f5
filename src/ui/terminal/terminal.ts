import type { ReadStream, WriteStream } from 'node:tty';
import { setBlocking, writeNow } from '../../support/terminal-output.js';
import { type Key, KeyDecoder } from '../state/keys.js';
import { Painter } from './painter.js';

const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l';
const LEAVE = '\u001b[?2026l\u001b[0m\u001b[?7h\u001b[?25h\u001b[?1049l';
/** The bytes of one key come together; on a slow line within this. */
const ESCAPE_MS = 60;

export interface Listener {
  onKeys(keys: Key[]): void;
  /** The terminal has another size, or can take the next frame. */
  onReady(): void;
  onGone(): void;
}

/** A terminal that shows a screen of ours in place of the shell's, and gets it back as it was. */
export class Terminal {
  readonly #stdin: ReadStream;
  readonly #stdout: WriteStream;
  readonly #listener: Listener;
  readonly #painter = new Painter();
  readonly #decoder = new KeyDecoder();
  #escape: NodeJS.Timeout | undefined;
  #isOpen = false;
  #isWriting = false;

  constructor(stdin: ReadStream, stdout: WriteStream, listener: Listener) {
    this.#stdin = stdin;
    this.#stdout = stdout;
    this.#listener = listener;
  }

  get size(): { columns: number; rows: number } {
    return { columns: this.#stdout.columns, rows: this.#stdout.rows };
  }

  /** Whether a frame can be taken: none waits on a slow line. */
  get isReady(): boolean {
    return this.#isOpen && !this.#isWriting;
  }

  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#painter.forget();
    process.on('exit', this.#close);
    this.#stdin.setEncoding('utf8');
    this.#stdin.setRawMode(true);
    this.#stdin.on('data', this.#read);
    this.#stdin.on('end', this.#gone);
    this.#stdin.on('error', this.#gone);
    this.#stdin.resume();
    this.#stdout.on('resize', this.#resized);
    setBlocking(this.#stdout, false);
    this.#write(ENTER);
  }

  /** Everything as it was before. Harmless when it is closed already. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearTimeout(this.#escape);
    process.off('exit', this.#close);
    this.#stdin.off('data', this.#read);
    this.#stdin.off('end', this.#gone);
    this.#stdin.off('error', this.#gone);
    this.#stdin.pause();
    this.#stdout.off('resize', this.#resized);
    setBlocking(this.#stdout, true);
    writeNow(this.#stdout, LEAVE);
    try {
      this.#stdin.setRawMode(false);
    } catch {
      // A terminal that is gone has no mode.
    }
  }

  /** Draws everything anew at the next frame. */
  forget(): void {
    this.#painter.forget();
  }

  show(lines: readonly string[], cursor?: { row: number; column: number }): void {
    const { columns, rows } = this.size;
    const text = this.#painter.update(lines, columns, rows, cursor);
    if (text !== '') this.#write(text);
  }

  #write(text: string): void {
    this.#isWriting = true;
    this.#stdout.write(text, () => {
      this.#isWriting = this.#stdout.writableLength > 0;
      if (this.isReady) this.#listener.onReady();
    });
  }

  readonly #close = () => this.close();
  readonly #gone = () => this.#listener.onGone();
  readonly #resized = () => {
    this.forget();
    this.#listener.onReady();
  };

  readonly #read = (text: string | Buffer) => {
    clearTimeout(this.#escape);
    const keys = this.#decoder.push(String(text));
    if (keys.length > 0) this.#listener.onKeys(keys);
    if (this.#decoder.isWaiting)
      this.#escape = setTimeout(() => this.#listener.onKeys(this.#decoder.flush()), ESCAPE_MS);
  };
}
