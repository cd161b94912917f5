import { print } from '../../support/output.js';

const DEFAULT_ROWS = 24;
/** Long lines are cut at the edge instead of breaking, so that a frame has as many rows as lines. */
const [WRAP_OFF, WRAP_ON] = ['\u001b[?7l', '\u001b[?7h'];
const [END_OF_LINE, BELOW, CLEAR] = ['\u001b[K', '\u001b[J', '\u001b[H\u001b[2J'];

interface Screen {
  rows?: number;
  on(event: 'resize', listener: () => void): unknown;
  off(event: 'resize', listener: () => void): unknown;
}

/**
 * Shows texts in one place of a terminal, each over the one before. What stood above it stays, and the last one is left
 * behind at the end. A frame is written at once and never higher than the terminal.
 */
export class Redraw {
  private shown = 0;
  private resized = false;
  private readonly onResize = () => {
    this.resized = true;
  };

  constructor(
    private readonly screen: Screen,
    private readonly write: (text: string) => Promise<void> = print,
  ) {
    screen.on('resize', this.onResize);
  }

  /** Lines that fit: the last row is for the cursor. */
  get rows(): number {
    return Math.max(1, (this.screen.rows ?? DEFAULT_ROWS) - 1);
  }

  async show(text: string): Promise<void> {
    const lines = text.replace(/\n$/, '').split('\n').slice(0, this.rows);
    // After a resize the terminal has wrapped what it showed: nobody knows where it is now.
    const back = this.resized ? CLEAR : this.shown > 0 ? `\u001b[${this.shown}A\r` : '';
    this.resized = false;
    this.shown = lines.length;
    await this.write(`${WRAP_OFF}${back}${lines.map((line) => `${line}${END_OF_LINE}\n`).join('')}${BELOW}${WRAP_ON}`);
  }

  /** Others have written to the terminal: the next frame goes below that. */
  forget(): void {
    this.shown = 0;
  }

  /** No more frames will come. */
  end(): void {
    this.screen.off('resize', this.onResize);
  }
}
