import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Context, type PlanOptions, placements } from '../cases.js';
import { programFile } from '../programs.js';
import { type App, type AppRig, openApp, requestsCase } from './app.js';
import { NGINX_BODY, nginx, openNginx } from './nginx.js';
import { freePort } from './ports.js';
import { measureByWrk, WRK_TRANSPORTS } from './wrk.js';

/** Each request goes over two connections: wrk to haproxy, haproxy to nginx. Both servers have the first CPU. */
export const haproxy: App = {
  name: 'haproxy',
  programs: [{ name: 'haproxy', package: 'haproxy' }, ...nginx.programs],
  cases: ({ cpus, quick }: PlanOptions) =>
    (quick ? placements(cpus).slice(0, 1) : placements(cpus)).map((place) =>
      requestsCase({
        name: 'haproxy before nginx, 50 connections',
        bytes: NGINX_BODY.length,
        cpus: place,
        transports: WRK_TRANSPORTS,
        rig: { key: `haproxy ${place.join(',')}`, open: (context) => open(context, place) },
        measure: (rig, durationMs) => measureByWrk(rig, [], durationMs),
      }),
    ),
};

async function open(context: Context, cpus: readonly number[]): Promise<AppRig> {
  const behind = await openNginx(context, cpus);
  const port = await freePort();
  const config = join(mkdtempSync(join(context.workshop.folder, 'haproxy-')), 'haproxy.cfg');
  writeFileSync(config, configuration(port, behind.place));
  const before = await openApp(context, cpus, port, [programFile('haproxy') ?? '', '-db', '-q', '-f', config]);
  return {
    ...before,
    pids: () => [...before.pids(), ...behind.pids()],
    close: async () => {
      await before.close();
      await behind.close();
    },
  };
}

const configuration = (port: number, behind: AppRig['place']) => `global
  nbthread 1
  maxconn 1000
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
frontend in
  bind 127.0.0.1:${port}
  default_backend out
backend out
  http-reuse always
  server nginx 127.0.0.1:${behind}
`;
