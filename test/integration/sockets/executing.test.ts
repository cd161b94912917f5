import { chmodSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { workFolder } from '../../support/cli.js';
import { narrowProgram } from '../../support/launch.js';
import { compiled, hasLibsd, LIBSD, outcome } from '../../support/libsd.js';

/** As `sockdoc run` sets it; nobody listens there. */
const MONITOR = '/nonexistent/monitor.sock';
const under = { LD_PRELOAD: LIBSD, SOCKDOC_MONITOR: MONITOR };
const WAYS = ['execve', 'execle', 'execvpe', 'fexecve', 'path_only', 'execveat', 'syscall', 'system', 'popen'] as const;

describe.runIf(hasLibsd)('libsd goes on into what a program executes', () => {
  let program = '';
  const folder = workFolder();
  beforeAll(() => {
    program = compiled('libsd/executing');
  });
  afterAll(folder.remove);
  const shown = (args: readonly string[], env: Record<string, string> = under) => {
    const { stdout, stderr, status } = outcome([program, ...args], env);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    return stdout;
  };

  it.each(WAYS)('by %s, with an environment of its own', (way) => {
    expect(shown([way, 'GIVEN=1'])).toBe(`${LIBSD}|${MONITOR}|1\n`);
    expect(shown([way])).toBe(`${LIBSD}|${MONITOR}|\n`);
    expect(shown([way, 'SOCKDOC_MONITOR=/other', 'GIVEN=2'])).toBe(`${LIBSD}|/other|2\n`);
    expect(shown([way, 'SOCKDOC_DISABLE=1', 'GIVEN=3'])).toBe('||3\n');
  });

  it('without any environment', () => expect(shown(['null'])).toBe(`${LIBSD}|${MONITOR}|\n`));

  it('behind other libraries, and once', () => {
    const other = compiled('libsd/early', { flags: ['-shared', '-fPIC'], suffix: '.so' });
    expect(shown(['execve', `LD_PRELOAD=${other}`])).toMatch(`${other}:${LIBSD}|`);
    const there = `${LIBSD}:${other}`;
    expect(shown(['execve', `LD_PRELOAD=${there}`])).toMatch(`${there}|`);
    expect(shown(['execve', `LD_PRELOAD= ${LIBSD} `])).toBe(` ${LIBSD} |${MONITOR}|\n`);
    const longer = `${other}x${LIBSD}`;
    const { stdout } = outcome([program, 'execve', `LD_PRELOAD=${longer}`, 'SOCKDOC_DISABLE=0'], under);
    expect(stdout).toBe(`${longer}:${LIBSD}|${MONITOR}|
`);
  });

  it.each(['spawn', 'vfork'])('in the child of %s, without a trace in the parent', (way) => {
    const trace = 'status: 0\nmappings: 0\n';
    expect(shown([way, 'GIVEN=1'])).toBe(`${LIBSD}|${MONITOR}|1\n${trace}`);
    expect(shown([way, 'HUNDREDS'])).toBe(`${LIBSD}|${MONITOR}|hundreds\n${trace}`);
    // More than the child's own stack holds: it goes without.
    expect(shown([way, 'MANY'])).toBe(`||many\n${trace}`);
  });

  it('with a very large environment', () => {
    expect(shown(['execve', 'MANY'])).toBe(`${LIBSD}|${MONITOR}|many\n`);
    expect(shown(['missing', 'MANY'])).toBe('execve: -1 ENOENT\nerrno: 2\nmappings: 0\n');
  });

  it('through programs that clean it', () => {
    const cleaned = ['execve', 'GIVEN=1'];
    const script = folder.file(
      'script',
      `#!/usr/bin/env -S -i sh\nexec env -i sh -c 'echo "$LD_PRELOAD|$SOCKDOC_MONITOR"'\n`,
    );
    chmodSync(script, 0o755);
    expect(outcome([script], under).stdout).toBe(`${LIBSD}|${MONITOR}\n`);
    expect(outcome(['env', '-i', program, ...cleaned], under).stdout).toBe(`${LIBSD}|${MONITOR}|1\n`);
    expect(outcome(['env', '-i', 'SOCKDOC_DISABLE=1', 'sh', '-c', 'echo "$LD_PRELOAD"'], under).stdout).toBe('\n');
  });

  it('not where its own loader did not bring it', () => {
    expect(shown(['execve', 'GIVEN=1'], {})).toBe('||1\n');
    expect(shown(['execve', 'GIVEN=1'], { ...under, SOCKDOC_DISABLE: '1' })).toBe('||1\n');
  });

  it('is taken out for a loader that would complain of it', () => {
    const narrow = narrowProgram(folder.path, 'narrow');
    const plain = outcome([program, 'file', narrow, 'GIVEN=1']);
    expect(outcome([program, 'file', narrow, `LD_PRELOAD=${LIBSD}`], under)).toEqual(plain);
  });
});
