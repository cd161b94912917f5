// The pictures of `sockdoc top` in docs/images, from a recording of real frames on a real terminal (tmux):
//   node scripts/screenshots.mjs            draws them anew
//   node scripts/screenshots.mjs --check    ends with 1 when they are not what the screen shows now
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { svgOf } from './ansi-svg.mjs';
import { root } from './tools.mjs';

const RECORDING = join(root, 'fixtures/recordings/busy-namespace/frames.ndjson.gz');
const FOLDER = join(root, 'docs/images');
const [COLUMNS, ROWS] = [118, 24];
/** Frames that the graphs have behind them. */
const FRAME = 6;

/** Each by the keys that lead to it from the one before, and by what shows that it is there. */
const PICTURES = [
  {
    name: 'top-connections',
    title: 'sockdoc top: connections',
    keys: ['/', 'state:established,listen', 'Enter'],
    there: /filter: state:/,
  },
  { name: 'top-detail', title: 'sockdoc top: one connection', keys: ['Enter'], there: /^ Limited by/m },
  { name: 'top-processes', title: 'sockdoc top: processes', keys: ['Escape', '2'], there: /\[2 Proc/ },
  { name: 'top-scheduler', title: 'sockdoc top: the scheduler', keys: ['3'], there: /\[3 Sched/ },
];

const stale = await drawAll(process.argv.includes('--check'));
if (stale.length > 0) {
  process.stderr.write(`not what the screen shows now: ${stale.join(', ')}; run: node scripts/screenshots.mjs\n`);
  process.exitCode = 1;
}

/** Writes the pictures, or only names those that are not as they should be. */
async function drawAll(isCheck) {
  const terminal = open();
  const wrong = [];
  try {
    await begin(terminal);
    for (const { name, title, keys, there } of PICTURES) {
      for (const key of keys) terminal.keys(key);
      const screen = await terminal.settled(there);
      const svg = svgOf(screen, { columns: COLUMNS, title });
      const path = join(FOLDER, `${name}.svg`);
      if (!isCheck) save(path, svg);
      else if (!existsSync(path) || readFileSync(path, 'utf8') !== svg) wrong.push(`${name}.svg`);
    }
  } finally {
    terminal.close();
  }
  return wrong;
}

function save(path, svg) {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(path, svg);
  process.stdout.write(`${path.slice(root.length)}\n`);
}

/** Stopped, back at the first frame, and from there by single steps: always the same frames lie behind. */
async function begin(terminal) {
  await terminal.see(/REPLAY/);
  terminal.keys('[');
  await terminal.see(/REPLAY 1\/\d+ PAUSED/);
  for (let frame = 2; frame <= FRAME; frame++) {
    terminal.keys('Right');
    await terminal.see(new RegExp(`REPLAY ${frame}/\\d+.* PAUSED`));
  }
}

function open() {
  const server = `sockdoc-pictures-${process.pid}`;
  const tmux = (...args) =>
    execFileSync('tmux', ['-u', '-L', server, '-f', '/dev/null', ...args], { encoding: 'utf8' });
  const environment = {
    HOME: tmpdir(),
    PATH: process.env.PATH ?? '',
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    TERM: 'screen-256color',
  };
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const command = [process.execPath, join(root, 'bin/run.js'), 'top', '--replay', RECORDING];
  tmux('new-session', '-d', '-x', `${COLUMNS}`, '-y', `${ROWS}`, 'env', '-i', ...variables, ...command);
  const screen = (...flags) => tmux('capture-pane', '-p', ...flags);
  return {
    keys: (key) => tmux('send-keys', key),
    async see(what) {
      const end = performance.now() + 30_000;
      while (!what.test(screen())) {
        if (performance.now() > end) throw new Error(`${what} is not to be seen:\n${screen()}`);
        await sleep(50);
      }
    },
    /** With colours, once nothing moves any more. */
    async settled(what) {
      await this.see(what);
      for (let before = ''; ; await sleep(300)) {
        const now = screen('-e');
        if (now === before) return now;
        before = now;
      }
    },
    close() {
      try {
        tmux('kill-server');
      } catch {
        // It has ended by itself.
      }
    },
  };
}
