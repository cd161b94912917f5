import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Case, type Context, type PlanOptions, placements } from '../cases.js';
import { programFile } from '../programs.js';
import { type App, type AppRig, openApp, requestsCase } from './app.js';
import { freePort } from './ports.js';
import { measureByWrk, WRK, WRK_TRANSPORTS } from './wrk.js';

export const NGINX_BODY = 'hello';

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
  programs: [{ name: 'nginx', package: 'nginx' }, WRK],
  cases: ({ cpus, quick }: PlanOptions) => {
    const places = quick ? placements(cpus).slice(0, 1) : placements(cpus);
    return places.flatMap((place) => LOADS.map((load) => caseOf(load, place)));
  },
};

const caseOf = (load: Load, cpus: readonly number[]): Case<AppRig> =>
  requestsCase({
    name: load.name,
    bytes: NGINX_BODY.length,
    cpus,
    transports: WRK_TRANSPORTS,
    rig: { key: `nginx ${cpus.join(',')}`, open: (context) => openNginx(context, cpus) },
    measure: (rig, durationMs) => measureByWrk(rig, load.headers, durationMs),
  });

/** One process, which ends with us; connections last as long as their client wants. */
export async function openNginx(context: Context, cpus: readonly number[]): Promise<AppRig> {
  const port = await freePort();
  const folder = mkdtempSync(join(context.workshop.folder, 'nginx-'));
  const config = join(folder, 'nginx.conf');
  writeFileSync(config, configuration(folder, port));
  return openApp(context, cpus, port, [programFile('nginx') ?? '', '-p', folder, '-c', config]);
}

const configuration = (folder: string, port: number) => `daemon off; master_process off; pid ${folder}/pid;
error_log ${folder}/error.log;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path ${folder}/a; proxy_temp_path ${folder}/b; fastcgi_temp_path ${folder}/c;
  uwsgi_temp_path ${folder}/d; scgi_temp_path ${folder}/e;
  server { listen 127.0.0.1:${port}; location / { return 200 "${NGINX_BODY}"; } }
}
`;
