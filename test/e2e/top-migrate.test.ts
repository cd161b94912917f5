import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { hasInjector } from '../../src/control/inject/client.js';
import { sockdoc, workFolder } from '../support/cli.js';
import { requireTool } from '../support/live.js';
import { hasIt } from '../support/servers.js';
import { TestTerminal } from '../support/tmux.js';
import { startProgram } from '../support/victim.js';

const folder = workFolder();
afterAll(folder.remove);

test.runIf(hasInjector())('a process is attached to and detached from, after a question', async (ctx) => {
  requireTool(ctx, 'tmux');
  const monitor = join(folder.path, 'monitor.sock');
  const env = { SOCKDOC_MONITOR: monitor, SOCKDOC_STATE_DIR: folder.path };
  const server = await startProgram('pingpong.c', ['server', 0, 0]);
  const client = await startProgram('pingpong.c', ['client', server.ready.port, 64, 500]);
  const terminal = new TestTerminal({ columns: 120, rows: 30, env });
  try {
    terminal.sockdoc(`top --pid ${server.pid}`);
    await terminal.see('[1 Connections]');
    terminal.keys('6');
    await terminal.see(new RegExp(`^> +pingpong +${server.pid} +- `, 'm'));
    await terminal.see('a attach   d detach');
    terminal.keys('a');
    await terminal.see(`Attach to pingpong ${server.pid} `);
    terminal.keys('n');
    await terminal.see((text) => !text.includes('Attach to'));
    expect([hasIt(server.pid), hasIt(client.pid)]).toEqual([false, false]);
    terminal.keys('a');
    await terminal.see(`Attach to pingpong ${server.pid} `);
    terminal.keys('y');
    await terminal.see(/Attached to pingpong \d+, pingpong \d+: 1 of 1 connections by shared memory/);
    await terminal.see(new RegExp(`^> +pingpong +${server.pid} +yes +1 +1 `, 'm'));
    await terminal.see(/Connections by transport: kernel .*, shm [1-9]/);
    terminal.keys('d');
    await terminal.see(`Detach from pingpong ${server.pid},`);
    terminal.keys('y');
    await terminal.see(`Detached from pingpong ${server.pid}: all connections by the kernel`);
    terminal.keys('q');
    await terminal.see((text) => !text.includes('User space'));
  } finally {
    terminal.close();
    await client.stop();
    await server.stop();
    if (existsSync(monitor)) await sockdoc(['monitor', 'stop', '--socket', monitor]);
  }
});
