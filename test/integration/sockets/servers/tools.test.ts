import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hasLibsd } from '../../../support/libsd.js';
import { requireTool } from '../../../support/live.js';
import { poll } from '../../../support/poll.js';
import { freePort } from '../../../support/ports.js';
import { byMemory, ServerBench } from '../../../support/servers.js';

let bench: ServerBench;
let port: number;
beforeEach(async () => {
  if (!hasLibsd) return;
  bench = await ServerBench.begin();
  port = await freePort();
});
afterEach(() => bench?.end());

describe.runIf(hasLibsd)('OpenSSL', () => {
  /** A server that answers each line with its reverse, and a client that has shaken hands with it. */
  async function conversation(flags: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const [key, cert] = [join(bench.folder, 'key.pem'), join(bench.folder, 'cert.pem')];
    const made = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=localhost'];
    await bench.output(['openssl', 'req', ...made, '-keyout', key, '-out', cert], { plain: true });
    await bench.server(port, ['openssl', 's_server', '-rev', '-accept', `${port}`, '-key', key, '-cert', cert], {
      env,
    });
    const target = ['-connect', `127.0.0.1:${port}`, '-CAfile', cert, '-verify_return_error'];
    const client = bench.start(['openssl', 's_client', '-quiet', ...target, ...flags], { env });
    let said = 0;
    return async (count: number) => {
      const lines = Array.from({ length: count }, () => `line ${said++} ${'abc'.repeat(said % 300)}`);
      const answers = lines.map((line) => `${[...line].reverse().join('')}\n`).join('');
      // One after the other: the server looks no further than the first line that it reads.
      let heard = '';
      for (const line of lines) heard += await client.say(`${line}\n`, /enil\n/);
      expect(heard.slice(heard.length - answers.length)).toBe(answers);
    };
  }

  it.for(['-tls1_2', '-tls1_3'])('s_server and s_client talk by shared memory, %s', async (version, context) => {
    requireTool(context, 'openssl', 'ss');
    const talk = await conversation([version]);
    await bench.upgraded(port, () => talk(1));
    await talk(100);
  });

  it('stays on the kernel where it asks the kernel to encrypt', async (context) => {
    requireTool(context, 'openssl', 'ss');
    const config = join(bench.folder, 'ktls.cnf');
    writeFileSync(
      config,
      'openssl_conf = one\n[one]\nssl_conf = two\n[two]\nsystem_default = three\n[three]\nOptions = KTLS\n',
    );
    const talk = await conversation([], { OPENSSL_CONF: config });
    const reasons = async () => {
      await talk(20);
      return (await bench.ends(port)).map(({ transport, reason }) => `${transport}: ${reason}`);
    };
    const kept = 'kernel: an upper protocol such as kTLS is set on the socket';
    const peerStays = 'kernel: the peer stays on the kernel';
    await poll('the monitor knows why, of both ends', async () => {
      const both = await reasons();
      return both.includes(kept) && both.every((reason) => reason === kept || reason === peerStays);
    });
  });
});

describe.runIf(hasLibsd)('tools that measure', () => {
  const JOBS = [
    { name: 'to the client', flags: ['-R'] },
    { name: 'both ways at once, two streams each', flags: ['--bidir', '-P', '2'] },
    { name: 'by sendfile(2)', flags: ['-Z'] },
  ];

  it('iperf3 moves streams by shared memory', async (context) => {
    requireTool(context, 'iperf3', 'ss');
    // It listens anew after each test, and takes whoever connects for a client: so nobody looks whether it accepts.
    const server = bench.start(['iperf3', '-s', '-p', `${port}`, '--forceflush']);
    const ready = () => server.say('', /Server listening/);
    for (const { name, flags } of JOBS) {
      const command = ['iperf3', '-c', '127.0.0.1', '-p', `${port}`, '-t', '1', '-J', ...flags];
      const { runs, ends } = await bench.load(port, command, { ready });
      for (const { status, stdout } of runs) {
        const { error, end } = JSON.parse(stdout);
        expect({ status, error }, name).toEqual({ status: 0, error: undefined });
        expect(end.sum_received.bytes, name).toBeGreaterThan(1_000_000);
      }
      expect(byMemory(ends), `${name} ${JSON.stringify(ends)}`).toBe(true);
    }
  });

  it.for(['ping-pong', 'throughput'])('sockperf loses and doubles no message, %s', async (mode, context) => {
    requireTool(context, 'sockperf', 'ss');
    const where = ['--tcp', '-i', '127.0.0.1', '-p', `${port}`];
    await bench.server(port, ['sockperf', 'server', ...where]);
    const { runs, ends } = await bench.load(port, ['sockperf', mode, ...where, '-t', '1']);
    for (const { status, stdout } of runs) {
      expect(status, stdout).toBe(0);
      if (mode !== 'throughput') {
        expect(stdout).toContain('# dropped messages = 0; # duplicated messages = 0; # out-of-order messages = 0');
      }
    }
    expect(byMemory(ends), JSON.stringify(ends)).toBe(true);
  });
});
