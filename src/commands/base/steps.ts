import { shorten } from '../../report/layout.js';
import { terminalOf } from '../../support/terminal.js';

const COLUMNS = 80;

/** A line on stderr that says which step of how many goes on, when a person watches; nothing of it stays. Drawn when it is told, and at no other time. */
export class Steps {
  private shown = false;

  constructor(private readonly stream: NodeJS.WriteStream) {}

  show(done: number, all: number, what: string): void {
    const { interactive, unicode, columns = COLUMNS } = terminalOf(this.stream);
    if (!interactive) return;
    this.shown = true;
    this.stream.write(`\r\u001b[K${shorten(`${done + 1} of ${all}  ${what}`, columns - 1, unicode ? '…' : '~')}`);
  }

  end(): void {
    if (this.shown) this.stream.write('\r\u001b[K');
    this.shown = false;
  }
}
