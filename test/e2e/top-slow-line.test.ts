import { readFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { BIN, workFolder } from '../support/cli.js';
import { requireTool } from '../support/live.js';
import { poll } from '../support/poll.js';
import { RECORDING } from '../support/recording.js';
import { startProgram, type Victim } from '../support/victim.js';

const folder = workFolder();
afterAll(folder.remove);

const [COLUMNS, ROWS] = [200, 60];
/** What the kernel keeps for a terminal that nobody reads, and a frame that was begun. */
const BUFFERED_BYTES = 200_000;

const type = (terminal: Victim, text: string) => terminal.ask(`type ${JSON.stringify(text)}`, 'typed');

async function seen(terminal: Victim): Promise<{ bytes: number; text: string }> {
  return JSON.parse((await terminal.ask('seen', 'seen')).slice('seen '.length));
}

/** Bytes of the character at a time that the command has written so far. */
const written = (pid: number) => Number(/^wchar: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]);

test('on a line that is stuck frames are left out, keys still count, and then the newest frame is shown', async (ctx) => {
  requireTool(ctx, 'python3');
  const bytes = readFileSync(RECORDING);
  const long = folder.file('long.ndjson.gz', Buffer.concat(Array.from({ length: 200 }, () => bytes)));
  const terminal = await startProgram('slow_terminal.py', [
    COLUMNS,
    ROWS,
    process.execPath,
    BIN,
    'top',
    '--replay',
    long,
  ]);
  try {
    const { pid } = terminal.ready;
    await poll('the screen is there', async () => (await seen(terminal)).text.includes('REPLAY'));
    await terminal.ask('stall', 'stalled');
    // Every Ctrl-L wants a whole screen: the line is full when nothing more is written.
    let last = -1;
    await poll(
      'the line is full',
      async () => {
        const before = last;
        await type(terminal, '\u000c');
        last = written(pid);
        return last === before;
      },
      { everyMs: 150 },
    );
    await seen(terminal);
    for (let i = 0; i < 30; i++) await type(terminal, '\u000c5');
    await type(terminal, '?');
    await terminal.ask('go', 'going');
    await poll('the newest screen', async () => (await seen(terminal)).text.includes('Ctrl-Z'));
    const all = written(pid);
    expect(all - last).toBeLessThan(BUFFERED_BYTES);
    await type(terminal, 'q');
    expect(await terminal.ask('wait', 'ended')).toBe('ended 0');
  } finally {
    await terminal.stop();
  }
});

test('a line that stays stuck does not keep a signal from ending it', async (ctx) => {
  requireTool(ctx, 'python3');
  const terminal = await startProgram('slow_terminal.py', [
    COLUMNS,
    ROWS,
    process.execPath,
    BIN,
    'top',
    '--replay',
    RECORDING,
  ]);
  try {
    await poll('the screen is there', async () => (await seen(terminal)).text.includes('REPLAY'));
    await terminal.ask('stall', 'stalled');
    for (let i = 0; i < 40; i++) await type(terminal, '\u000c');
    process.kill(terminal.ready.pid, 'SIGTERM');
    expect(await terminal.ask('wait', 'ended')).toBe('ended 143');
  } finally {
    await terminal.stop();
  }
});
