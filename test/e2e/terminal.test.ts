import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { width } from '../../src/report/layout.js';
import { BIN, snapshotText, sockdoc, workFolder } from '../support/cli.js';
import { HOSTILE } from '../support/document.js';
import { listenerOf, processOf } from '../support/snapshot.js';
import { troubled } from '../support/troubled.js';

const folder = workFolder();
afterAll(folder.remove);
const bad = folder.file('bad.json', snapshotText(troubled));
const hasScript = spawnSync('script', ['--version']).status === 0;

/** What a terminal of that size gets to see, by script(1), which gives the command a real one. */
function onTerminal(columns: number, command: string, env: Record<string, string> = {}): string {
  const inner = `stty cols ${columns} rows 50; ${command}`;
  return execFileSync('script', ['-qec', inner, '/dev/null'], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH ?? '', HOME: '/nonexistent', LANG: 'C.UTF-8', TERM: 'xterm', ...env },
    cwd: folder.path,
    stdio: ['ignore', 'pipe', 'pipe'],
  }).replaceAll('\r\n', '\n');
}

const run = (args: string) => `"${process.execPath}" "${BIN}" ${args} || true`;
// biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal gets has escape sequences in it
const withoutColour = (text: string) => text.replace(/\u001b\[\d*m/g, '');

describe.skipIf(!hasScript)('on a terminal', () => {
  test.each([40, 60, 80, 200])('of %i columns no line is wider', (columns) => {
    for (const command of [
      `check --snapshot ${bad} --verbose`,
      'explain listen-overflow',
      'check --list',
      `diff ${bad} ${bad}`,
    ])
      for (const line of withoutColour(onTerminal(columns, run(command))).split('\n'))
        expect(width(line), line).toBeLessThanOrEqual(columns);
  });

  test('there are colours unless they are not wanted', () => {
    const command = run(`check --snapshot ${bad}`);
    expect(onTerminal(80, command)).toContain('\u001b[31m');
    for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }, { FORCE_COLOR: '0' }])
      expect(onTerminal(80, command, env)).not.toContain('\u001b');
  });

  test('a bar shows while the window lasts, and goes', () => {
    const text = onTerminal(80, run('check --window 800 --only timestamps'));
    expect(text).toMatch(/reading [━─]+ \d+ %/);
    expect(text.slice(text.lastIndexOf('%'))).toContain('\r\u001b[K');
    expect(onTerminal(80, run('check --window 800 --only timestamps'), { TERM: 'dumb' })).not.toContain('reading');
  });
});

test('a pipe gets no colours, unless they are forced', async () => {
  expect((await sockdoc(['check', '--snapshot', bad])).stdout).not.toContain('\u001b');
  expect((await sockdoc(['check', '--snapshot', bad], { env: { FORCE_COLOR: '1' } })).stdout).toContain('\u001b[31m');
});

test('a process that calls itself an escape sequence stays harmless in every format', async () => {
  const hostile = folder.file(
    'hostile.json',
    snapshotText({
      ...troubled,
      last: {
        ...troubled.last,
        host: { processes: [processOf({ comm: HOSTILE })] },
        sockets: { listeners: [listenerOf({ drops: 14, queue: 129, owners: [{ pid: 42, comm: HOSTILE, fd: 3 }] })] },
      },
    }),
  );
  for (const format of ['pretty', 'json', 'sarif', 'junit', 'markdown']) {
    const { stdout, code } = await sockdoc(['check', '--snapshot', hostile, '--format', format, '--verbose']);
    expect(code).toBe(1);
    expect(stdout).toContain('owned');
    expect(stdout, format).not.toMatch(/(?!\n)[\p{Cc}\u202a-\u202e\u2028]/u);
  }
});

describe('help', () => {
  test('names every command, and each has an example', async () => {
    const { stdout } = await sockdoc(['--help']);
    for (const command of ['autocomplete', 'check', 'diff', 'explain', 'schema'])
      expect(stdout).toContain(`\n  ${command} `);
    for (const command of ['check', 'diff', 'explain', 'schema'])
      expect((await sockdoc(['help', command])).stdout).toMatch(/EXAMPLES[^$]*\$ sockdoc /);
    expect((await sockdoc(['--version'])).stdout).toMatch(/^sockdoc\/\d+\.\d+\.\d+ linux-/);
  });

  test('bash completes commands and flags', async () => {
    const home = join(folder.path, 'home');
    mkdirSync(home);
    const env = { HOME: home, XDG_CACHE_HOME: join(home, '.cache') };
    expect((await sockdoc(['autocomplete', 'bash', '--refresh-cache'], { env })).code).toBe(0);
    const functions = join(home, '.cache/sockdoc/autocomplete/functions/bash/sockdoc.bash');
    expect(existsSync(functions)).toBe(true);
    const complete = (...words: string[]) =>
      execFileSync(
        'bash',
        [
          '-c',
          'source "$1"; shift; COMP_WORDS=(sockdoc "$@"); COMP_CWORD=$#; $(complete -p sockdoc | sed "s/.*-F \\([^ ]*\\).*/\\1/"); printf "%s\\n" "\x24{COMPREPLY[@]}"',
          'bash',
          functions,
          ...words,
        ],
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
      );
    expect(complete('ch')).toContain('check');
    expect(complete('check', '--sna')).toContain('--snapshot');
  });

  test('the manual page is generated from the commands and well-formed', () => {
    const page = join(folder.path, 'sockdoc.1');
    execFileSync(process.execPath, [join(BIN, '../../scripts/man.mjs'), page]);
    const text = readFileSync(page, 'utf8');
    for (const part of [
      '.TH SOCKDOC 1',
      '.SH NAME',
      '.SH COMMANDS',
      'check',
      '\\-\\-snapshot',
      '.SH EXIT STATUS',
      '.SH FILES',
    ])
      expect(text).toContain(part);
    if (spawnSync('man', ['--version']).status !== 0) return;
    const shown = spawnSync('man', ['--warnings', '-l', page], {
      encoding: 'utf8',
      env: { ...process.env, MANWIDTH: '80', LANG: 'C.UTF-8' },
    });
    expect(shown.status).toBe(0);
    expect(shown.stderr).toBe('');
    expect(shown.stdout).toContain('sockdoc check');
  });
});
