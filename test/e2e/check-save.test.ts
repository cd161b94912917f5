import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { BIN, sockdoc, workFolder } from '../support/cli.js';

const folder = workFolder();
afterAll(folder.remove);
const root = process.geteuid?.() === 0;
const canUnshare = root && spawnSync('unshare', ['--mount', 'true']).status === 0;
let place = '';
let count = 0;
beforeEach(() => {
  place = join(folder.path, `case-${count++}`);
  mkdirSync(place);
});
const save = (file: string) =>
  sockdoc(['check', '--window', '0', '--fail-on', 'never', '--only', 'timestamps', '--save', file], { cwd: place });

test('a snapshot is readable by its owner alone and leaves no neighbour behind', async () => {
  expect((await save('a.json')).code).toBe(0);
  expect(statSync(join(place, 'a.json')).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(join(place, 'a.json'), 'utf8'))).toMatchObject({ format: 'sockdoc-snapshot' });
  expect((await save('a.json.gz')).code).toBe(0);
  expect([...readFileSync(join(place, 'a.json.gz')).subarray(0, 2)]).toEqual([0x1f, 0x8b]);
  expect(readdirSync(place).sort()).toEqual(['a.json', 'a.json.gz']);
});

test('an existing file keeps its mode, a link keeps pointing', async () => {
  folder.file(`case-${count - 1}/b.json`, 'old');
  execFileSync('chmod', ['644', join(place, 'b.json')]);
  symlinkSync('b.json', join(place, 'link.json'));
  expect((await save('link.json')).code).toBe(0);
  expect(statSync(join(place, 'b.json')).mode & 0o777).toBe(0o644);
  expect(readFileSync(join(place, 'b.json'), 'utf8')).toContain('sockdoc-snapshot');
});

test('a pipe or a device is written to, not replaced', () => {
  const script = `mkfifo p; cat p > out & "${process.execPath}" "${BIN}" check --window 0 --fail-on never --save p >/dev/null; wait; test -p p`;
  execFileSync('/bin/sh', ['-c', script], { cwd: place });
  expect(readFileSync(join(place, 'out'), 'utf8')).toContain('sockdoc-snapshot');
});

test('a folder that does not exist, a folder in place of a file', async () => {
  expect(await save('no/such/file.json')).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('no such folder'),
  });
  expect(await save(place)).toMatchObject({ code: 2, stderr: expect.stringContaining('is a directory') });
});

test.skipIf(!root)('a folder that may not be written to is a question of permission', async () => {
  execFileSync('chmod', ['755', folder.path, place]);
  const { code, stderr } = await sockdoc(['check', '--window', '0', '--save', join(place, 'x.json')], {
    uid: 65534,
    gid: 65534,
    cwd: '/',
  });
  expect([code, stderr]).toEqual([3, expect.stringContaining('permission denied')]);
  expect(readdirSync(place)).toEqual([]);
});

test.skipIf(!canUnshare)(
  'on a full disk the report is there, the file is not, and nothing half written is left',
  () => {
    const run = (flags: string) => {
      const script = `mount -t tmpfs -o size=16k tmpfs . && cd . && cd "$PWD" &&
      "${process.execPath}" "${BIN}" check --window 0 ${flags} --save a.json; echo "code $?"; echo "left: $(ls -A)"`;
      return spawnSync('unshare', ['--mount', '--propagation', 'private', '/bin/sh', '-c', script], {
        cwd: place,
        encoding: 'utf8',
        env: { ...process.env, LANG: 'C.UTF-8', HOME: '/nonexistent' },
      });
    };
    const people = run('');
    expect(people.stderr).toContain('a.json was not written: the disk is full');
    expect(people.stdout).toMatch(/→ .*\ncode 4\nleft: \n$/);
    const programs = run('--json');
    expect(programs.stdout).toMatch(/code 4\nleft: \n$/);
    const document = JSON.parse(programs.stdout.slice(0, programs.stdout.indexOf('code 4')));
    expect(document.error).toMatchObject({ code: 4, kind: 'not-possible' });
  },
);

test.skipIf(!canUnshare)('on a read-only file system', () => {
  const script = `mount -t tmpfs -o ro tmpfs . && cd "$PWD" && "${process.execPath}" "${BIN}" check --window 0 --save a.json; echo "code $?"`;
  const { stdout, stderr } = spawnSync('unshare', ['--mount', '--propagation', 'private', '/bin/sh', '-c', script], {
    cwd: place,
    encoding: 'utf8',
  });
  expect(stderr).toContain('read-only');
  expect(stdout).toBe('code 4\n');
});
