import { execa } from 'execa';
import { expect, test } from 'vitest';
import type { ConnectionsDocument } from '../../../src/model/views/connections.js';
import { conns, sockdocIn } from '../../support/conns.js';
import { type Netns, requireRoot, requireTool, under, withNetns } from '../../support/live.js';
import { expectValid } from '../../support/schemas.js';

const COUNT = 200;

async function churn(ns: Netns) {
  const server = await ns.start('churn.c', 'serve', '127.0.0.1', 'client');
  const client = await ns.start('churn.c', 'connect', '127.0.0.1', server.ready.port, 'client');
  return { server, client, go: () => client.ask(`go ${COUNT}`, 'done') };
}

/** Only the servers' rows: whose connections were accepted is known with and without BPF. */
const acceptedBy = ({ shortLived }: ConnectionsDocument, pid: number) =>
  shortLived?.by.find((row) => row.side === 'accepting' && row.pid === pid);

test('a window shows the connections that ended in it', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'cc');
  await withNetns(async (ns) => {
    const { server, client, go } = await churn(ns);
    const document = await under(go, conns(ns, ['--window', '500']));
    const { shortLived } = document;
    expect(shortLived?.windowMs).toBeGreaterThanOrEqual(400);
    expect(acceptedBy(document, server.pid)).toMatchObject({ comm: 'churn', port: server.ready.port });
    expect(acceptedBy(document, server.pid)?.count).toBeGreaterThan(0);
    if (shortLived?.source !== 'tracepoint') return;
    expect(shortLived.unseen).toBeGreaterThan(0);
    const connected = shortLived.by.find(({ side }) => side === 'connecting');
    expect(connected).toMatchObject({ pid: client.pid, comm: 'churn', port: server.ready.port });
    expect(shortLived.unattributed).toBe(0);
  });
});

test('one reading has nothing to compare with, and subscribes to nothing', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => expect(await conns(ns)).not.toHaveProperty('shortLived'));
});

test('--watch tells of each interval, for people too', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'cc');
  await withNetns(async (ns) => {
    const { server, go } = await churn(ns);
    const [file = '', ...args] = [...sockdocIn(ns), 'conns', '--watch', '--interval', '300', '--json'];
    const watching = execa(file, args, { stdin: 'ignore', reject: false, timeout: 50_000 });
    const documents: ConnectionsDocument[] = [];
    const enough = (async () => {
      for await (const line of watching) {
        const document: ConnectionsDocument = JSON.parse(line);
        await expectValid('conns', document);
        documents.push(document);
        if (acceptedBy(document, server.pid) !== undefined) break;
      }
      watching.kill('SIGINT');
      await watching;
    })();
    await under(go, enough);
    expect(documents[0]).not.toHaveProperty('shortLived');
    expect(acceptedBy(documents.at(-1) as ConnectionsDocument, server.pid)?.count).toBeGreaterThan(0);
    const text = sockdocIn(ns).slice(1);
    const { stdout } = await under(go, execa(file, [...text, 'conns', '--window', '300'], { stdin: 'ignore' }));
    expect(stdout.replace(/\s+/g, ' ')).toContain('sockets of connections ended');
  });
});
