import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hasLibsd } from '../../../support/libsd.js';
import { requireTool } from '../../../support/live.js';
import { freePort } from '../../../support/ports.js';
import { PGBENCH_SUMS, postgresPrograms, startPostgres } from '../../../support/postgres.js';
import { byMemory, ServerBench, type StartOptions } from '../../../support/servers.js';

let bench: ServerBench;
let port: number;
beforeEach(async () => {
  if (!hasLibsd) return;
  bench = await ServerBench.begin();
  port = await freePort();
});
afterEach(() => bench?.end());

describe.runIf(hasLibsd)('memcached with four threads', () => {
  const start = (at: number, options: StartOptions = {}) =>
    bench.server(at, ['memcached', '-t', '4', '-p', `${at}`, '-U', '0', '-l', '127.0.0.1', '-u', 'root'], options);
  const servers = () => `--servers=127.0.0.1:${port}`;

  it('keeps what many clients at once give it', async (context) => {
    requireTool(context, 'memcached', 'memcslap', 'memccp', 'ss');
    await start(port);
    for (const test of ['set', 'get', 'mget']) {
      const work = ['memcslap', servers(), '--concurrency=8', '--execute-number=2000', `--test=${test}`, '--binary'];
      const { runs, ends } = await bench.load(port, work);
      for (const run of runs) expect(run, run.stdout).toMatchObject({ status: 0, stderr: '' });
      expect(byMemory(ends), JSON.stringify(ends)).toBe(true);
    }
    const value = Buffer.from(Array.from({ length: 900_000 }, (_, i) => 32 + ((i * 7 + (i >> 9)) % 90)));
    writeFileSync(join(bench.folder, 'value'), value);
    await bench.output(['memccp', servers(), join(bench.folder, 'value')]);
    const back = await bench.output(['memccat', servers(), 'value']);
    expect(createHash('sha256').update(back.trimEnd()).digest('hex')).toBe(
      createHash('sha256').update(value.toString().trimEnd()).digest('hex'),
    );
  });

  it('speaks its protocols as without libsd', async (context) => {
    requireTool(context, 'memcached', 'memccapable');
    const protocols = (at: number) => ['memccapable', '-h', '127.0.0.1', '-p', `${at}`, '-t', '20'];
    const other = await freePort();
    await start(port);
    await start(other, { plain: true });
    const [plain, ringed] = await Promise.all([
      bench.run(protocols(other), { plain: true }),
      bench.run(protocols(port)),
    ]);
    expect(plain.stdout).toContain('ascii get');
    expect(ringed).toEqual(plain);
  });
});

describe.runIf(hasLibsd)('PostgreSQL, a process for each connection', () => {
  it('answers pgbench and psql, and loses no row', async (context) => {
    if (postgresPrograms() === undefined) context.skip('needs postgresql');
    requireTool(context, 'setpriv', 'ss');
    const { options, client } = await startPostgres(bench, port);
    const pgbench = (...more: string[]) => [...client('pgbench'), ...more, 'postgres'];
    const sql = async (text: string) =>
      (await bench.output([...client('psql'), '-XAtqc', text, 'postgres'], options)).trim();
    await bench.output(pgbench('-i', '-q'), options);
    for (const work of [pgbench('-S', '-c', '4', '-j', '2', '-T', '1'), pgbench('-c', '4', '-j', '2', '-t', '50')]) {
      const said = await bench.output(work, options);
      expect(said).toContain('number of failed transactions: 0 (0.000%)');
    }
    const [total, ...others] = (await sql(`select ${PGBENCH_SUMS.join(', ')}`)).split('|');
    expect(others).toEqual([total, total, total]);
    expect(await sql('select count(*) from pgbench_history')).toBe('200');

    // Streams of rows to and fro.
    const rows = Array.from({ length: 20_000 }, (_, i) => `${i}\t${'row'.repeat(i % 40)}\n`).join('');
    writeFileSync(join(bench.folder, 'rows'), rows);
    await sql('create table copied (id int, text text)');
    const psql = [...client('psql'), '-Xq', 'postgres'];
    await bench.output([...psql, '-c', `\\copy copied from '${join(bench.folder, 'rows')}'`], options);
    expect(await bench.output([...psql, '-c', 'copy (select * from copied order by id) to stdout'], options)).toBe(
      rows,
    );

    // A child has the connection that its parent accepted, and that its parent has closed since.
    const talk = bench.start([...psql, '-At'], options);
    let turn = 0;
    const select = () => talk.say(`select ${++turn} * 1000;\n`, new RegExp(`^${turn * 1000}\n`));
    await bench.upgraded(port, select);
  });
});
