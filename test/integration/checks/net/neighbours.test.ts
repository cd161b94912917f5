import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { workFolder } from '../../../support/cli.js';
import { requireRoot, runCheck, withNetns } from '../../../support/live.js';
import { evidence } from './support.js';

const THRESHOLD = '/proc/sys/net/ipv4/neigh/default/gc_thresh3';
const entries = () => Number.parseInt(readFileSync('/proc/net/stat/arp_cache', 'utf8').split('\n')[1] ?? '', 16);
const judged = async () => {
  const results = (await runCheck(['--only', 'neighbours', '--window', '200'])).of('neighbours');
  return results.find((r) => r.evidence[0]?.source.endsWith('arp_cache'));
};

test('a table that fills up is found in the initial namespace, whose limits hold for all', async (ctx) => {
  requireRoot(ctx);
  let limit: number;
  try {
    limit = Number(readFileSync(THRESHOLD, 'utf8'));
  } catch {
    return ctx.skip('not in the initial network namespace');
  }
  if (limit > 10_000) return ctx.skip(`gc_thresh3 is ${limit}`);
  const wanted = Math.ceil(0.9 * limit) - entries();
  const folder = workFolder();
  ctx.onTestFinished(folder.remove);
  await withNetns(async (ns) => {
    await ns.peer();
    await ns.run('ip', 'address', 'add', '10.97.0.1/16', 'dev', 'veth');
    const fill = (kind: string) => {
      const lines = Array.from(
        { length: wanted },
        (_, i) => `neighbour replace 10.97.${1 + (i >> 8)}.${i & 255} lladdr 02:00:00:00:00:01 dev veth nud ${kind}\n`,
      );
      execFileSync('ip', ['-n', ns.name, '-batch', folder.file(`neighbours-${kind}`, lines.join(''))]);
    };
    expect((await judged())?.status).toBe('pass');

    // Entries that age press against the limit: the kernel collects by force on the way there.
    fill('stale');
    const full = await judged();
    expect(evidence(full, 'entries', 'now')).toBeGreaterThan(0.8 * limit);
    expect(['warn', 'info']).toContain(full?.status);
    if (evidence(full, 'forced_gc_runs', 'total') > 0) expect(full?.status).toBe('warn');
  });
});
