import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { workFolder } from '../../support/cli.js';
import { hasLibsd, LIBSD, outcome, preloaded } from '../../support/libsd.js';
import { poll } from '../../support/poll.js';
import { freePort } from '../../support/ports.js';

const installed = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

const answers = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.on('connect', () => socket.destroy()).on('error', () => resolve(false));
  });

const hasIt = (pid: number) => readFileSync(`/proc/${pid}/maps`, 'utf8').includes(LIBSD);

/** The process and its children. */
function family(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(/\s+/).filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(family)];
}

describe.runIf(hasLibsd)('servers and clients with libsd', () => {
  let folder: ReturnType<typeof workFolder>;
  let server: ChildProcess | undefined;
  beforeEach(() => {
    folder = workFolder();
  });
  afterEach(async () => {
    if (server && server.exitCode === null && server.signalCode === null) {
      const gone = once(server, 'exit');
      server.kill('SIGTERM');
      await gone;
    }
    server = undefined;
    folder.remove();
  });

  async function start(command: readonly string[], port: number): Promise<number> {
    const [file, ...args] = command as [string, ...string[]];
    server = spawn(file, args, { stdio: 'ignore', env: { ...process.env, ...preloaded }, cwd: folder.path });
    await poll(`${file} listens`, () => answers(port));
    return server.pid as number;
  }

  it('redis answers its own benchmark', async ({ skip }) => {
    if (!installed('redis-server') || !installed('redis-benchmark')) skip('redis is not installed');
    const port = await freePort();
    const pid = await start(['redis-server', '--port', `${port}`, '--bind', '127.0.0.1', '--save', ''], port);
    expect(hasIt(pid)).toBe(true);
    const say = (...words: string[]) => outcome(['redis-cli', '-p', `${port}`, ...words], preloaded);
    expect(say('set', 'key', 'a value')).toMatchObject({ status: 0, stdout: 'OK\n' });
    for (const pipeline of ['1', '16']) {
      const load = [
        'redis-benchmark',
        '-p',
        `${port}`,
        '-n',
        '20000',
        '-c',
        '20',
        '-P',
        pipeline,
        '-t',
        'set,get',
        '--csv',
      ];
      const { status, stdout, stderr } = outcome(load, preloaded);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toMatch(/"SET"[\s\S]*"GET"/);
    }
    expect(say('get', 'key').stdout).toBe('a value\n');
    expect(say('info', 'errorstats').stdout).not.toContain('errorstat_');
    // BGSAVE forks.
    expect(say('bgsave').status).toBe(0);
    await poll('the snapshot is written', () => say('info', 'persistence').stdout.includes('rdb_bgsave_in_progress:0'));
    expect(say('info', 'persistence').stdout).toContain('rdb_last_bgsave_status:ok');
  });

  it('nginx answers wrk, also from a file, and after a reload', async ({ skip }) => {
    if (!installed('nginx') || !installed('wrk')) skip('nginx or wrk is not installed');
    const port = await freePort();
    const body = 'x'.repeat(100_000);
    folder.file('file.txt', body);
    const config = folder.file(
      'nginx.conf',
      `daemon off; worker_processes 2; pid ${folder.path}/pid; error_log ${folder.path}/error.log; user root;
       events { worker_connections 200; }
       http { access_log off; sendfile on; client_body_temp_path ${folder.path}/a; proxy_temp_path ${folder.path}/b;
         fastcgi_temp_path ${folder.path}/c; uwsgi_temp_path ${folder.path}/d; scgi_temp_path ${folder.path}/e;
         server { listen 127.0.0.1:${port}; root ${folder.path}; location = /short { return 200 "short"; } } }`,
    );
    const pid = await start(['nginx', '-c', config], port);
    const load = (path: string) => {
      const url = `http://127.0.0.1:${port}${path}`;
      const { status, stdout } = outcome(['wrk', '-t1', '-c20', '-d1s', url], preloaded);
      expect({ status, errors: /Socket errors|Non-2xx/.exec(stdout) }).toEqual({ status: 0, errors: null });
      expect(Number(/(\d+) requests in/.exec(stdout)?.[1])).toBeGreaterThan(10);
    };
    await poll('the workers run', () => family(pid).length === 3);
    expect(family(pid).every(hasIt)).toBe(true);
    load('/short');
    load('/file.txt');
    const before = family(pid);
    process.kill(pid, 'SIGHUP');
    await poll(
      'new workers',
      () => family(pid).length === 3 && family(pid).filter((one) => before.includes(one)).length === 1,
    );
    const fetched = await fetch(`http://127.0.0.1:${port}/file.txt`, { headers: { connection: 'close' } });
    expect(await fetched.text()).toBe(body);
    load('/short');
    expect(readFileSync(`${folder.path}/error.log`, 'utf8')).not.toMatch(/\[(alert|crit|emerg)\]/);
  });
});
