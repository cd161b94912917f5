import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hasLibsd } from '../../../support/libsd.js';
import { requireTool } from '../../../support/live.js';
import { poll } from '../../../support/poll.js';
import { freePort } from '../../../support/ports.js';
import { byMemory, family, hasIt, type LoadOptions, ServerBench } from '../../../support/servers.js';

const LARGE = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 31 + (i >> 8)) & 255));
const sha = (data: Buffer) => createHash('sha256').update(data).digest('hex');

/** Where a server is tried: the files that it serves, its port, and that of the server behind it. */
interface Place {
  bench: ServerBench;
  folder: string;
  port: number;
  upstream: number;
}

function nginx({ bench, folder, port }: Place, site = '', { daemon = 'off', user = 'root', http = '' } = {}): string[] {
  const stem = join(bench.folder, `nginx-${port}`);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (one) => `${one}_temp_path ${stem}-${one};`,
  );
  const text = `daemon ${daemon}; user ${user}; worker_processes 2; pid ${stem}.pid; error_log ${stem}.log;
    events { worker_connections 200; }
    http { access_log off; sendfile on; keepalive_requests 100000; ${temporary.join(' ')} ${http}
      server { listen 127.0.0.1:${port}; root ${folder}; ${site} } }`;
  writeFileSync(`${stem}.conf`, text);
  return ['nginx', '-c', `${stem}.conf`];
}

function lighttpd({ bench, folder, port }: Place): string[] {
  const path = join(bench.folder, `lighttpd-${port}.conf`);
  const settings = { 'document-root': folder, bind: '127.0.0.1', errorlog: `${path}.log` };
  const text = Object.entries(settings).map(([name, value]) => `server.${name} = "${value}"\n`);
  writeFileSync(path, `${text.join('')}server.port = ${port}\nserver.max-keep-alive-requests = 100000\n`);
  return ['lighttpd', '-D', '-f', path];
}

function haproxy({ bench, port, upstream }: Place, mode: 'http' | 'tcp'): string[] {
  const path = join(bench.folder, `haproxy-${port}.cfg`);
  writeFileSync(
    path,
    `global
      maxconn 200
      nbthread 2
    defaults
      mode ${mode}
      timeout connect 30s
      timeout client 30s
      timeout server 30s
      ${mode === 'http' ? 'http-reuse always' : 'option splice-auto'}
    listen one
      bind 127.0.0.1:${port}
      server up 127.0.0.1:${upstream}
`,
  );
  return ['haproxy', '-db', '-f', path];
}

const NODE_SERVER = `
const { createServer } = require('node:http');
const { createReadStream } = require('node:fs');
const { createHash } = require('node:crypto');
const [port, folder] = process.argv.slice(-2);
createServer((request, response) => {
  if (request.method !== 'PUT') return createReadStream(folder + request.url).pipe(response);
  const hash = createHash('sha256');
  request.on('data', (part) => hash.update(part)).on('end', () => response.end(hash.digest('hex')));
}).listen(Number(port), '127.0.0.1');
`;

interface Server {
  name: string;
  needs: readonly string[];
  command(place: Place): string[];
  /** What it passes requests to. */
  behind?(place: Place): string[];
  /** Takes files and answers with their SHA-256. */
  takes?: boolean;
}

const node = ({ folder, port }: Place) => [process.execPath, '-e', NODE_SERVER, '--', `${port}`, folder];
const upstreamOf = (place: Place): Place => ({ ...place, port: place.upstream });
const PROXY = (place: Place) => ({
  site: 'location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; client_max_body_size 0; }',
  http: `upstream up { server 127.0.0.1:${place.upstream}; keepalive 8; }`,
});

const SERVERS: readonly Server[] = [
  { name: 'nginx, a master and its workers', needs: ['nginx'], command: (place) => nginx(place) },
  { name: 'lighttpd', needs: ['lighttpd'], command: lighttpd },
  { name: "Node's http", needs: [], command: node, takes: true },
  {
    name: "Python's http.server, a thread for each connection",
    needs: ['python3'],
    command: ({ folder, port }) => [
      'python3',
      '-m',
      'http.server',
      '--protocol',
      'HTTP/1.1',
      '--bind',
      '127.0.0.1',
      '--directory',
      folder,
      `${port}`,
    ],
  },
  {
    name: 'nginx, which passes requests on to Node',
    needs: ['nginx'],
    command: (place) => {
      const { site, http } = PROXY(place);
      return nginx(place, site, { http });
    },
    behind: (place) => node(upstreamOf(place)),
    takes: true,
  },
  {
    name: 'haproxy with two threads, which passes requests on to nginx',
    needs: ['haproxy', 'nginx'],
    command: (place) => haproxy(place, 'http'),
    behind: (place) => nginx(upstreamOf(place)),
  },
  {
    name: 'haproxy, which passes connections on to Node',
    needs: ['haproxy'],
    command: (place) => haproxy(place, 'tcp'),
    behind: (place) => node(upstreamOf(place)),
    takes: true,
  },
];

describe.runIf(hasLibsd)('web servers', () => {
  let place: Place;
  let bench: ServerBench;
  beforeEach(async (context) => {
    requireTool(context, 'curl', 'wrk', 'ss');
    bench = await ServerBench.begin();
    place = { bench, folder: join(bench.folder, 'www'), port: await freePort(), upstream: await freePort() };
    mkdirSync(place.folder);
    writeFileSync(join(place.folder, 'small.txt'), 'a small file\n');
    writeFileSync(join(place.folder, 'large.bin'), LARGE);
  });
  afterEach(() => bench?.end());

  const url = (path: string) => `http://127.0.0.1:${place.port}/${path}`;
  const wrk = (...more: string[]) => ['wrk', '-t1', '-c16', '-d1s', ...more, url('small.txt')];
  /** wrk with this server: no request of any run may have failed. */
  async function loaded(port: number, options: LoadOptions = {}) {
    const { runs, ends } = await bench.load(port, wrk(), options);
    for (const { status, stdout } of runs) {
      expect({ status, errors: /Socket errors.*|Non-2xx.*/.exec(stdout) }, stdout).toEqual({ status: 0, errors: null });
      expect(Number(/(\d+) requests in/.exec(stdout)?.[1])).toBeGreaterThan(0);
    }
    return ends;
  }

  it.for(SERVERS)('$name', async ({ needs, command, behind, takes }, context) => {
    requireTool(context, ...needs);
    if (behind) await bench.server(place.upstream, behind(place));
    const server = await bench.server(place.port, command(place));
    expect(family(server.pid).every(hasIt)).toBe(true);

    // Several files over one connection, as they are.
    const got = ['1', '2', '3'].map((name) => join(bench.folder, name));
    const wanted = ['large.bin', 'small.txt', 'large.bin'].map(url);
    const fetch = [
      'curl',
      '-sSf',
      '-w',
      '%{num_connects}\n',
      ...wanted.flatMap((one, i) => [one, '-o', got[i] as string]),
    ];
    expect(await bench.output(fetch)).toBe('1\n0\n0\n');
    expect(got.map((path) => sha(readFileSync(path)))).toEqual([
      sha(LARGE),
      sha(Buffer.from('a small file\n')),
      sha(LARGE),
    ]);
    if (takes) {
      expect(await bench.output(['curl', '-sSf', '-T', join(place.folder, 'large.bin'), url('large.bin')])).toBe(
        sha(LARGE),
      );
    }

    for (const port of behind ? [place.port, place.upstream] : [place.port]) {
      const ends = await loaded(port);
      expect(byMemory(ends), JSON.stringify(ends)).toBe(true);
    }
  });

  it('nginx in the background is reloaded under load, and every new request is answered by whoever has come', async (context) => {
    requireTool(context, 'nginx');
    const starter = bench.start(nginx(place, 'location = /who { return 200 "$pid"; }', { daemon: 'on' }));
    expect(await starter.over()).toBe(0);
    const master = bench.adopt(Number(readFileSync(join(bench.folder, `nginx-${place.port}.pid`), 'utf8')));
    await poll('its workers run', () => family(master).length === 3);
    let over = false;
    const load = bench.load(place.port, wrk('-d2s'), { enough: () => over });
    for (let turn = 0; turn < 3; turn++) {
      const before = family(master).slice(1);
      process.kill(master, 'SIGHUP');
      await poll(
        'new workers answer',
        async () => !before.includes(Number(await bench.output(['curl', '-sSf', url('who')]))),
      );
      expect(await bench.output(['curl', '-sSf', url('small.txt')])).toBe('a small file\n');
    }
    over = true;
    const { runs, ends } = await load;
    // A worker that leaves ends idle connections, which may cross a request, as without libsd; no answer is wrong or late.
    for (const { status, stdout } of runs) {
      expect({ status, wrong: /Non-2xx.*|timeout [1-9].*/.exec(stdout) }, stdout).toEqual({ status: 0, wrong: null });
    }
    expect(byMemory(ends), JSON.stringify(ends)).toBe(true);
    await poll('former workers have ended', () => family(master).length === 3);
    expect(readFileSync(join(bench.folder, `nginx-${place.port}.log`), 'utf8')).not.toMatch(/\[(alert|crit|emerg)\]/);
  });

  it('workers of nginx that became another user share memory with that user alone', async (context) => {
    requireTool(context, 'nginx', 'setpriv');
    if (process.geteuid?.() !== 0) context.skip('needs root: another user');
    await bench.server(place.port, nginx(place, '', { user: 'nobody nogroup' }));
    const others = await loaded(place.port, {
      enough: (ends) => ends.some(({ transport }) => transport !== 'unknown'),
    });
    const known = others.filter(({ transport }) => transport !== 'unknown');
    expect(new Set(known.map(({ transport, reason }) => `${transport}: ${reason}`))).toEqual(
      new Set(['kernel: the two ends belong to different users and no rule allows that']),
    );
    const own = await loaded(place.port, { uid: 65534 });
    expect(byMemory(own), JSON.stringify(own)).toBe(true);
  });
});
