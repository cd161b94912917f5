import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { workFolder } from '../../support/cli.js';
import { compiled, hasLibsd, LIBSD, outcome, preloaded } from '../../support/libsd.js';

const MODE = { disabled: 1, second: 2, interposed: 3, patched: 5 };

describe.runIf(hasLibsd)('how libsd comes into a program', () => {
  let folder: ReturnType<typeof workFolder>;
  let status = '';
  beforeAll(() => {
    folder = workFolder();
    status = compiled('libsd/status');
  });
  afterAll(() => folder.remove());

  const stateOf = (command: readonly string[], env: Record<string, string>) => {
    const { stdout, stderr, status: code } = outcome(command, env);
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    return JSON.parse(stdout.split('\n').find((line) => line.startsWith('{')) ?? '{}');
  };

  it('patches at load', () => {
    const state = stateOf([status], preloaded);
    expect(state).toMatchObject({ loaded: true, mode: MODE.patched, reason: '' });
    expect(state.entries).toBeGreaterThan(40);
    expect(state.version).toMatch(/^\d+\.\d+\.\d+/);
  });

  it('stays out of the way with SOCKDOC_DISABLE', () => {
    expect(stateOf([status], { ...preloaded, SOCKDOC_DISABLE: '1' })).toMatchObject({
      mode: MODE.disabled,
      entries: 0,
      reason: 'SOCKDOC_DISABLE is set',
    });
    expect(stateOf([status], { ...preloaded, SOCKDOC_DISABLE: '0' }).mode).toBe(MODE.patched);
    expect(stateOf([status], { ...preloaded, SOCKDOC_DISABLE: '' }).mode).toBe(MODE.patched);
    const program = compiled('sockets/send_recv');
    expect(outcome([program], { ...preloaded, SOCKDOC_DISABLE: '1' })).toEqual(outcome([program]));
  });

  it('a second copy does nothing', () => {
    const copy = `${folder.path}/copy.so`;
    copyFileSync(LIBSD, copy);
    const two = { LD_PRELOAD: `${LIBSD}:${copy}` };
    expect([MODE.second, MODE.patched]).toContain(stateOf([status], two).mode);
    // Its counts, kept by whichever copy is first, are still right or absent: never doubled.
    const plain = outcome([compiled('sockets/read_write')]);
    const { stdout, status: code } = outcome([compiled('sockets/read_write')], two);
    expect(code).toBe(0);
    expect(stdout.split('\n').filter((line) => !line.includes('libsd does not know'))).toEqual(
      plain.stdout.split('\n'),
    );
    expect(stateOf([status], { LD_PRELOAD: `${LIBSD} ${LIBSD}` }).mode).toBe(MODE.patched);
  });

  it('takes its patches back, and sets them again', () => {
    expect(outcome([status, 'undo'], preloaded).stdout.split('\n').slice(1)).toEqual([
      'undo: 0',
      'read: 2',
      'counted: 1',
      'undo again: 0',
      'attach: 0',
      'apply: 0',
      'counted: 3',
      'apply again: 0',
      '',
    ]);
  });

  it('comes into a program that runs, and leaves it as it was', () => {
    const attached = [
      'attach: 0',
      'attached: mode 4, somebody has to stop the threads',
      'changed code: 0',
      'sites: ok',
      'apply: 0',
      'applied: mode 5',
      'sites: ok',
      'attach again: -1',
      'read: 5',
      'known: 0',
      'counted: 5',
      'leave: 0',
      'left: 0',
      'undo: 0',
      'undone: mode 1, taken back',
      'changed code: 0',
      'descriptors: 0',
      'threads: 1',
    ];
    const { stdout, stderr, status: code } = outcome([compiled('libsd/attaching'), LIBSD]);
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    expect(stdout.replaceAll(/(?<=attach again: -1).*/g, '').split('\n')).toEqual([
      'loaded: mode 0',
      expect.stringMatching(/^apply: -1/),
      'changed code: 0',
      ...attached,
      ...attached,
      'read: 5',
      expect.stringMatching(/^of another version: -1/),
      'refused: mode 1, the injector is of another version',
      '',
    ]);
  });

  it('stays out of a program that runs with SOCKDOC_DISABLE, or with libsd', () => {
    const program = compiled('libsd/attaching');
    expect(outcome([program, LIBSD], { SOCKDOC_DISABLE: '1' }).stdout).toContain(
      'attached: mode 0, SOCKDOC_DISABLE is set\n',
    );
    const copy = `${folder.path}/second.so`;
    copyFileSync(LIBSD, copy);
    expect(outcome([program, copy], preloaded).stdout).toContain('attached: mode 0, another copy is at work\n');
  });

  it('serves calls that other constructors make before it is set up', () => {
    const early = compiled('libsd/early', { flags: ['-shared', '-fPIC'], suffix: '.so' });
    const { stdout, stderr } = outcome([status], { LD_PRELOAD: `${LIBSD}:${early}` });
    expect(stderr).toBe('');
    expect(stdout).toContain('early 1 1 1\n');
    expect(stdout).toContain(`"mode":${MODE.patched}`);
  });

  it('interposes by symbols where code may not be patched, and says why', ({ skip }) => {
    const { stdout, status: code, stderr } = outcome([compiled('libsd/without_exec_memory'), status], preloaded);
    if (code === 77) skip(`this kernel cannot forbid it: ${stderr}`);
    expect(JSON.parse(stdout)).toMatchObject({ mode: MODE.interposed, reason: 'memory may not be made executable' });
  });

  it('does not reach static programs, and does no harm to them', () => {
    const program = compiled('sockets/read_write', { flags: ['-static'], suffix: '.static' });
    expect(outcome([program], preloaded)).toEqual(outcome([program]));
  });

  it('does no harm to programs of another C library', ({ skip }) => {
    if (spawnSync('musl-gcc', ['--version']).status !== 0) skip('musl-gcc is not installed');
    const program = compiled('libsd/plain', { compiler: 'musl-gcc', suffix: '.musl' });
    expect(outcome([program])).toMatchObject({ status: 0, stdout: 'bytes went through a pipe\n' });
    expect(outcome([program], preloaded)).toEqual(outcome([program]));
  });

  it('needs libc.so.6 alone, of an old version', () => {
    const needed = execFileSync('objdump', ['-p', LIBSD], { encoding: 'utf8' }).match(/NEEDED\s+\S+/g);
    expect(needed).toEqual([expect.stringMatching(/libc\.so\.6$/)]);
    const symbols = execFileSync('objdump', ['-T', LIBSD], { encoding: 'utf8' });
    const minors = [...symbols.matchAll(/GLIBC_2\.(\d+)/g)].map((match) => Number(match[1]));
    expect(Math.max(...minors)).toBeLessThanOrEqual(17);
    expect(execFileSync('readelf', ['-lW', LIBSD], { encoding: 'utf8' })).not.toMatch(/^\s+TLS\s/m);
  });
});
