import { execa } from 'execa';
import { expect, test } from 'vitest';
import { BIN } from '../support/cli.js';
import { requireRoot, requireTool } from '../support/live.js';

test('a user that has no name, no home and no shell is served, as in a container', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'setpriv');
  const user = ['--reuid=1234567', '--regid=1234567', '--clear-groups', process.execPath, BIN];
  for (const args of [['--version'], ['check', '--only', 'timestamps', '--window', '0'], ['conns', '--window', '0']]) {
    const options = { env: { PATH: process.env.PATH }, extendEnv: false, reject: false, cwd: '/' };
    const { exitCode, stdout, stderr } = await execa('setpriv', [...user, ...args], options);
    expect({ exitCode, stderr }, args.join(' ')).toMatchObject({ exitCode: 0 });
    expect(stdout).not.toBe('');
  }
});
