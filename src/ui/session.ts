import type { ReadStream, WriteStream } from 'node:tty';
import type { Frame } from '../model/views/frame.js';
import { CONNECTION_SORTS, type FrameRequest } from '../model/views/request.js';
import { interrupted } from '../support/errors.js';
import { InkScreen } from './app.js';
import type { Style } from './draw/spans.js';
import { Pace } from './pace.js';
import { History } from './state/history.js';
import type { Key } from './state/keys.js';
import { initialState, type UiState } from './state/state.js';
import { type Effect, step } from './state/step.js';
import { Terminal } from './terminal/terminal.js';
import type { Origin } from './views/header.js';
import { type Screen, screenOf } from './views/screen.js';

/** The keys of a player, of a recording. */
export interface Player {
  readonly position: number;
  readonly count: number;
  readonly isCut: boolean;
  speed: number;
  isPaused: boolean;
  step(by: number): void;
}

export interface SessionOptions {
  /** One frame after the other, until the signal is aborted; `request` is read anew for each. */
  frames: (signal: AbortSignal) => AsyncIterable<Frame>;
  request: FrameRequest;
  /** The request was changed. */
  refresh: () => void;
  recording?: string;
  player?: Player;
  /**
   * Moves a process's connections to shared memory or back, and says in a sentence what became of that; aborted, it takes back
   * what it did. Absent where that cannot be.
   */
  migrate?: (pid: number, back: boolean, signal: AbortSignal) => Promise<string>;
  style: Style;
  stdin: ReadStream;
  stdout: WriteStream;
}

const [SLOWEST, FASTEST] = [1 / 8, 64];

/** Ends when it is asked to, or fails with what a signal, a source or a bug threw; the terminal is as it was either way. */
export async function runSession(options: SessionOptions, signal: AbortSignal): Promise<void> {
  await new Session(options).run(signal);
}

class Session {
  readonly #options: SessionOptions;
  readonly #terminal: Terminal;
  readonly #ink = new InkScreen();
  readonly #history = new History();
  readonly #pace = new Pace(() => this.#draw());
  readonly #ended = new AbortController();
  #state: UiState;
  #frame: Frame | undefined;
  #screen: Screen | undefined;
  #isDirty = false;
  #drawnColumns = 0;
  #resume: (() => void) | undefined;
  #migrating: Promise<void> | undefined;
  #finish: () => void = () => {};
  #fail: (error: unknown) => void = () => {};

  constructor(options: SessionOptions) {
    this.#options = options;
    const { filter, sort, reverse } = options.request;
    const state = initialState(filter);
    const connections = { ...state.tabs.connections, sort: CONNECTION_SORTS.indexOf(sort), reverse };
    this.#state = { ...state, tabs: { ...state.tabs, connections } };
    this.#terminal = new Terminal(options.stdin, options.stdout, {
      onKeys: (keys) => this.#onKeys(keys),
      onReady: () => this.#onReady(),
      onGone: () => this.#fail(interrupted('SIGHUP')),
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const fail = (error: unknown) => this.#fail(hangup(error));
    const stop = () => fail(signal.reason);
    process.on('uncaughtException', fail);
    process.on('unhandledRejection', fail);
    process.on('SIGCONT', this.#continued);
    process.on('SIGTSTP', this.#suspend);
    signal.addEventListener('abort', stop);
    try {
      await new Promise<void>((resolve, reject) => {
        [this.#finish, this.#fail] = [resolve, reject];
        if (signal.aborted) return stop();
        this.#terminal.open();
        this.#pace.want('key');
        this.#follow().catch(reject);
      });
    } finally {
      this.#ended.abort();
      this.#resume?.();
      await this.#migrating;
      this.#pace.stop();
      this.#terminal.close();
      this.#ink.close();
      signal.removeEventListener('abort', stop);
      process.off('SIGTSTP', this.#suspend);
      process.off('SIGCONT', this.#continued);
      process.off('unhandledRejection', fail);
      process.off('uncaughtException', fail);
    }
  }

  /** Takes one frame after the other; while it is paused none is asked for. */
  async #follow(): Promise<void> {
    for await (const frame of this.#options.frames(this.#ended.signal)) {
      if (this.#ended.signal.aborted) return;
      if (!this.#state.paused || this.#frame === undefined) this.#take(frame);
      while (this.#state.paused && !this.#ended.signal.aborted) await this.#unpaused();
    }
  }

  #take(frame: Frame): void {
    // The answer to another filter has the same moment: it is one reading.
    this.#frame = frame;
    this.#history.add(frame);
    this.#pace.want('data');
  }

  #unpaused(): Promise<void> {
    return new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  #onKeys(keys: Key[]): void {
    for (const key of keys) {
      const screen = this.#screen ?? this.#look();
      const { state, effect } = step(this.#state, key, screen.context);
      if (state !== this.#state) this.#change(state);
      if (effect !== undefined) this.#act(effect);
    }
    this.#pace.want('key');
  }

  #change(state: UiState): void {
    this.#state = state;
    this.#screen = undefined;
    if (!state.paused) this.#resume?.();
    if (this.#ask(state)) this.#options.refresh();
  }

  /** Brings the request up to what the screen wants; whether that changed it. */
  #ask({ filter, tabs, overlay, tab }: UiState): boolean {
    const { request } = this.#options;
    const before = JSON.stringify(request);
    const { sort, reverse } = tabs.connections;
    const keep = tab === 'connections' && overlay?.kind === 'detail' ? [overlay.key] : [];
    Object.assign(request, { filter, sort: CONNECTION_SORTS[sort % CONNECTION_SORTS.length], reverse, keep });
    return JSON.stringify(request) !== before;
  }

  #act(effect: Effect): void {
    if (effect === 'quit') this.#finish();
    else if (effect === 'interrupt') this.#fail(interrupted('SIGINT'));
    else if (effect === 'suspend') this.#stop(0);
    else if (effect === 'redraw') this.#redraw();
    else if ('migrate' in effect) this.#migrate(effect.migrate);
    else if (this.#options.player) play(this.#options.player, effect.replay);
    this.#screen = undefined;
  }

  /** One at a time; the screen goes on meanwhile. */
  #migrate({ pid, back }: { pid: number; back: boolean }): void {
    const { migrate } = this.#options;
    if (migrate === undefined) return;
    if (this.#migrating) {
      this.#say('Another process is under way: wait until it is done.', true);
      return;
    }
    this.#say(`${back ? 'Detaching from' : 'Attaching to'} ${pid} ...`, false);
    this.#migrating = migrate(pid, back, this.#ended.signal)
      .then(
        (text) => this.#say(text, false),
        (error: Error) => this.#say(error.message, true),
      )
      .finally(() => {
        this.#migrating = undefined;
      });
  }

  #say(text: string, isBad: boolean): void {
    this.#change({ ...this.#state, said: { text, isBad } });
    this.#pace.want('key');
  }

  #redraw(): void {
    this.#terminal.forget();
    this.#isDirty = true;
  }

  #onReady(): void {
    const { columns, rows } = this.#terminal.size;
    const fits = this.#screen?.lines.length === rows && this.#drawnColumns === columns;
    if (!fits) this.#screen = undefined;
    if (!fits || this.#isDirty) this.#pace.want('key');
  }

  #draw(): void {
    if (!this.#terminal.isReady) {
      this.#isDirty = true;
      return;
    }
    this.#isDirty = false;
    this.#screen = this.#look();
    const { columns } = this.#terminal.size;
    this.#drawnColumns = columns;
    this.#terminal.show(this.#ink.layOut(this.#screen.lines, columns), this.#screen.cursor);
  }

  #look(): Screen {
    const { style } = this.#options;
    const [frame, state, history] = [this.#frame, this.#state, this.#history];
    return screenOf({ frame, state, history, style, size: this.#terminal.size, origin: this.#origin() });
  }

  #origin(): Origin {
    const { request, recording, player } = this.#options;
    return {
      intervalMs: request.intervalMs,
      ...(recording === undefined ? {} : { recording }),
      ...(player === undefined ? {} : { replay: player }),
      ...(this.#options.migrate ? { canMigrate: true } : {}),
    };
  }

  /** The shell gets the terminal; whoever continues us gets the screen back. */
  #stop(pid: number): void {
    this.#terminal.close();
    process.off('SIGTSTP', this.#suspend);
    process.kill(pid, 'SIGTSTP');
    // Time stands still while we are stopped. Where nobody could continue us the kernel does not stop us at all.
    setTimeout(this.#continued, 20);
  }

  readonly #suspend = () => this.#stop(process.pid);

  readonly #continued = () => {
    if (this.#ended.signal.aborted) return;
    process.off('SIGTSTP', this.#suspend);
    process.on('SIGTSTP', this.#suspend);
    this.#terminal.close();
    this.#terminal.open();
    this.#pace.want('key');
  };
}

function play(player: Player, key: Extract<Effect, { replay: unknown }>['replay']): void {
  if (key === 'pause') player.isPaused = !player.isPaused;
  else if (key === 'slower') player.speed = Math.max(SLOWEST, player.speed / 2);
  else if (key === 'faster') player.speed = Math.min(FASTEST, player.speed * 2);
  else {
    player.isPaused = true;
    player.step({ back: -1, forward: 1, start: -player.count, end: player.count }[key]);
  }
}

/** Writing to a terminal that is gone fails before its SIGHUP may have come. */
function hangup(error: unknown): unknown {
  const { code } = (error ?? {}) as { code?: unknown };
  return code === 'EIO' || code === 'EPIPE' ? interrupted('SIGHUP', { cause: error }) : error;
}
