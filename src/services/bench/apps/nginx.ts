import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchTransport } from '../../../model/bench.js';
import { notPossible } from '../../../support/errors.js';
import { type Case, type Context, type PlanOptions, placements, type Sample } from '../cases.js';
import { programFile } from '../programs.js';
import { type App, type AppRig, openApp } from './app.js';
import { freePort } from './ports.js';
import { watchUpgrades } from './upgrades.js';

/** wrk speaks TCP alone. */
const TRANSPORTS: readonly BenchTransport[] = ['kernel', 'shm'];
const CONNECTIONS = 50;
const BODY = 'hello';

interface Load {
  name: string;
  headers: readonly string[];
}

const LOADS: readonly Load[] = [
  { name: 'nginx, 50 connections', headers: [] },
  { name: 'nginx, a connection per request', headers: ['-H', 'Connection: close'] },
];

export const nginx: App = {
  name: 'nginx',
  programs: [
    { name: 'nginx', package: 'nginx' },
    { name: 'wrk', package: 'wrk' },
  ],
  cases: ({ cpus, quick }: PlanOptions) => {
    const places = quick ? placements(cpus).slice(0, 1) : placements(cpus);
    return places.flatMap((place) => LOADS.map((load) => caseOf(load, place)));
  },
};

interface NginxRig extends AppRig {
  monitor?: string;
}

const caseOf = (load: Load, cpus: readonly number[]): Case<NginxRig> => ({
  suite: 'apps',
  name: load.name,
  bytes: BODY.length,
  cpus,
  metric: 'requests',
  unit: '1/s',
  better: 'higher',
  transports: TRANSPORTS,
  rig: { key: `nginx ${cpus.join(',')}`, open: (context) => open(context, cpus) },
  measure: (rig, durationMs) => measure(rig, load, durationMs),
});

async function open(context: Context, cpus: readonly number[]): Promise<NginxRig> {
  const port = await freePort();
  const folder = mkdtempSync(join(context.workshop.folder, 'nginx-'));
  const config = join(folder, 'nginx.conf');
  writeFileSync(config, configuration(folder, port));
  const rig = await openApp(context, cpus, port, [programFile('nginx') ?? '', '-p', folder, '-c', config]);
  return { ...rig, ...(context.transport === 'shm' ? { monitor: await context.workshop.monitor() } : {}) };
}

/** One process, which ends with us; connections last as long as their client wants. */
const configuration = (folder: string, port: number) => `daemon off; master_process off; pid ${folder}/pid;
error_log ${folder}/error.log;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path ${folder}/a; proxy_temp_path ${folder}/b; fastcgi_temp_path ${folder}/c;
  uwsgi_temp_path ${folder}/d; scgi_temp_path ${folder}/e;
  server { listen 127.0.0.1:${port}; location / { return 200 "${BODY}"; } }
}
`;

async function measure(rig: NginxRig, { headers }: Load, durationMs: number): Promise<Sample> {
  const seconds = Math.max(1, Math.round(durationMs / 1000)); // wrk counts in whole ones
  const where = `http://127.0.0.1:${rig.place}/`;
  const running = rig.load([programFile('wrk') ?? '', '-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, ...headers, where]);
  const [carried, text] = await Promise.all([
    rig.monitor === undefined ? undefined : watchUpgrades(rig.monitor, seconds * 1000, running),
    running,
  ]);
  return { value: wrkRate(text), ...(carried ? { carried } : {}) };
}

/** The requests per second that wrk prints; any failed request makes it no measurement. */
export function wrkRate(text: string): number {
  const failed = /^\s*(Socket errors:.*|Non-2xx.*)$/m.exec(text)?.[1];
  const rate = Number(/^Requests\/sec:\s*([\d.]+)/m.exec(text)?.[1]);
  if (failed === undefined && rate > 0) return rate;
  throw notPossible(`wrk: ${failed ?? text.trim().slice(-300)}`);
}
