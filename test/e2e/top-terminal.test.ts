import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { BIN, workFolder } from '../support/cli.js';
import { requireRoot, requireTool } from '../support/live.js';
import { poll } from '../support/poll.js';
import { frameOf } from '../support/recorded-frames.js';
import { openRecording, RECORDING } from '../support/recording.js';
import { type TerminalOptions, TestTerminal } from '../support/tmux.js';

const folder = workFolder();
afterAll(folder.remove);

/** A terminal of the test's own, with something on it that must be there again afterwards. */
async function inTerminal(
  ctx: Parameters<typeof requireTool>[0],
  body: (terminal: TestTerminal) => Promise<void>,
  options: TerminalOptions = {},
): Promise<void> {
  requireTool(ctx, 'tmux');
  const terminal = new TestTerminal({ cwd: folder.path, ...options });
  try {
    terminal.run('stty -g > before; echo what was here');
    await terminal.see(/^what was here/m);
    await body(terminal);
  } finally {
    terminal.close();
  }
}

let checks = 0;

/** The shell's screen, modes and settings are as they were; gives the exit code. */
async function restored(terminal: TestTerminal): Promise<number> {
  await terminal.see(/^what was here/m);
  const check = ++checks;
  terminal.run(`echo "code ${check}=$?"; stty -g | cmp - before && echo "same settings" ${check}`);
  await terminal.see(new RegExp(`^same settings ${check}$`, 'm'));
  expect(terminal.modes()).toBe('0 1 1');
  return Number(new RegExp(`^code ${check}=(\\d+)`, 'm').exec(terminal.text())?.[1]);
}

describe('the terminal is as it was', () => {
  test.for([
    ['q', 0],
    ['C-c', 130],
  ] as const)('after %s', ([key, code], ctx) =>
    inTerminal(ctx, async (terminal) => {
      await openRecording(terminal, 2);
      expect(terminal.modes()).toBe('1 0 0');
      terminal.keys(key);
      expect(await restored(terminal)).toBe(code);
    }),
  );

  test.for([
    ['SIGTERM', 143],
    ['SIGHUP', 129],
    ['SIGINT', 130],
  ] as const)('after %s', ([signal, code], ctx) =>
    inTerminal(ctx, async (terminal) => {
      await openRecording(terminal, 1);
      process.kill(await terminal.child(), signal);
      expect(await restored(terminal)).toBe(code);
    }),
  );

  test('after Ctrl-Z, and the screen is there again after fg', (ctx) =>
    inTerminal(ctx, async (terminal) => {
      await openRecording(terminal, 2);
      const before = terminal.text();
      for (let time = 0; time < 2; time++) {
        terminal.keys('C-z');
        await terminal.see('Stopped');
        await restored(terminal);
        terminal.run('fg');
        expect(await terminal.see((text) => text === before)).toBe(before);
        expect(terminal.modes()).toBe('1 0 0');
      }
      terminal.keys('q');
      expect(await restored(terminal)).toBe(0);
    }));

  test('when it is the terminal of another user', (ctx) => {
    requireRoot(ctx);
    return inTerminal(ctx, async (terminal) => {
      terminal.sockdoc('top --interval 200', 'setpriv --reuid=65534 --regid=65534 --clear-groups ');
      await terminal.see(/! \d+ not seen, privileges would help/);
      terminal.keys('q');
      expect(await restored(terminal)).toBe(0);
      terminal.run(
        `python3 -c 'import fcntl, os; print("waits:", fcntl.fcntl(1, fcntl.F_GETFL) & os.O_NONBLOCK == 0)'`,
      );
      await terminal.see('waits: True');
    });
  });

  test('after a stop that another process sent, like after Ctrl-Z', (ctx) =>
    inTerminal(ctx, async (terminal) => {
      await openRecording(terminal, 1);
      process.kill(await terminal.child(), 'SIGTSTP');
      await terminal.see('Stopped');
      await restored(terminal);
      terminal.run('fg');
      await terminal.see(/REPLAY 1\/\d+ PAUSED/);
      terminal.keys('q');
      expect(await restored(terminal)).toBe(0);
    }));

  test('where nobody could continue it, it is not stopped', (ctx) =>
    inTerminal(ctx, async (terminal) => {
      // A session of its own, whose leader has no shell that waits for it: the kernel does not stop it.
      terminal.run(`exec setsid --ctty --wait ${process.execPath} ${BIN} top --replay ${RECORDING}`);
      await terminal.see('REPLAY');
      terminal.keys('[', 'C-z');
      await terminal.see(/REPLAY 1\/\d+ PAUSED/);
      terminal.keys('?');
      await terminal.see('Ctrl-Z');
    }));

  test('after a signal that cannot be caught stopped it, the screen is drawn anew', (ctx) =>
    inTerminal(ctx, async (terminal) => {
      await openRecording(terminal, 1);
      const pid = await terminal.child();
      process.kill(pid, 'SIGSTOP');
      await terminal.see('Stopped');
      terminal.run('clear');
      terminal.run('fg');
      await terminal.see(/REPLAY 1\/\d+ PAUSED/);
      terminal.keys('q');
      await terminal.see(/\$$/m);
      terminal.run('stty -g | cmp - before && echo same settings');
      await terminal.see(/^same settings/m);
    }));

  test('when a frame of the recording turns out to be damaged, and then it is said', (ctx) =>
    inTerminal(ctx, async (terminal) => {
      const line = (second: number) =>
        JSON.stringify(frameOf({ takenAt: new Date(second * 1000).toISOString(), intervalMs: second && 1000 }));
      folder.file('damaged.ndjson', `${line(0)}\n${line(1)}\n{"schemaVersion":1,"comm\n${line(3)}\n`);
      terminal.sockdoc('top --replay damaged.ndjson');
      await terminal.see('REPLAY 1/4');
      const text = await terminal.see('damaged in frame 3');
      expect(text).toContain('Expected: a file that was written by: sockdoc top --record FILE');
      expect(await restored(terminal)).toBe(2);
    }));

  test('when something throws that nobody expected, and then it is said', (ctx) =>
    inTerminal(ctx, async (terminal) => {
      const trap = folder.file('trap.mjs', "process.on('SIGUSR2', () => { throw new Error('out of the blue'); });");
      terminal.sockdoc(`top --replay ${RECORDING}`, `NODE_OPTIONS='--import ${trap}' `);
      await terminal.see('REPLAY');
      process.kill(await terminal.child(), 'SIGUSR2');
      await terminal.see('out of the blue');
      expect(terminal.text()).toContain('This is a bug of sockdoc');
      expect(await restored(terminal)).toBe(70);
    }));
});

describe('another size of the terminal', () => {
  test('is used at once, and one that is too small is asked to grow', (ctx) =>
    inTerminal(
      ctx,
      async (terminal) => {
        await openRecording(terminal, 2);
        for (const [columns, rows] of [
          [60, 15],
          [200, 60],
          [59, 40],
          [80, 14],
          [120, 40],
        ] as const) {
          terminal.resize(columns, rows);
          const small = columns < 60 || rows < 15;
          await terminal.see(small ? `Please enlarge: ${columns}x${rows}` : /q quit/);
          // The last line is the last line: nothing was left behind, and nothing scrolled.
          if (!small) await poll('it fills the screen', () => terminal.lines()[rows - 1]?.includes('q quit'));
          expect(terminal.lines()[0]).toMatch(small ? /Please/ : /sockdoc top/);
        }
        terminal.keys('q');
        expect(await restored(terminal)).toBe(0);
      },
      { columns: 100, rows: 30 },
    ));
});

describe('what the terminal can show', () => {
  test('colours have a meaning, and are not there when they are not wanted', (ctx) =>
    inTerminal(ctx, async (terminal) => {
      await openRecording(terminal, 2);
      expect(terminal.text({ withColour: true }).replaceAll('\u001b', '')).toMatch(
        /\[(0;)?7m[[\d;m]*\[1 Connections\]/,
      );
      terminal.keys('q');
      await restored(terminal);
      terminal.run('clear; export NO_COLOR=1');
      await openRecording(terminal, 2);
      expect(terminal.text({ withColour: true })).not.toContain('\u001b[');
    }));

  test('ASCII alone where the locale has no more', (ctx) =>
    inTerminal(ctx, async (terminal) => {
      terminal.run('export LANG=C');
      await openRecording(terminal, 6);
      for (const key of ['1', 'Enter', '3', '?']) {
        terminal.keys(key);
        await terminal.see(/./);
        expect(terminal.text()).toMatch(/^[\p{ASCII}]*$/u);
      }
    }));
});

test('what is shown can be written down, and looked at again', (ctx) =>
  inTerminal(ctx, async (terminal) => {
    terminal.sockdoc('top --interval 250 --record kept.ndjson.gz');
    await terminal.see('RECORDING');
    await poll(
      'three frames',
      () => readFileSync(`${folder.path}/kept.ndjson.gz`).length > 0 && terminal.text().includes('/s'),
    );
    terminal.keys('q');
    expect(await restored(terminal)).toBe(0);
    terminal.sockdoc('top --replay kept.ndjson.gz');
    await terminal.see(/REPLAY \d+\/\d+/);
    terminal.keys(']');
    await terminal.see(/REPLAY (\d+)\/\1, the end PAUSED/);
  }));
