import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { Frame } from '../../src/model/views/frame.js';
import { nftRule } from '../integration/checks/net/support.js';
import { BIN } from '../support/cli.js';
import { withNetns } from '../support/live.js';
import { FOLDER, RECORDING, writeGolden } from '../support/recording.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const FRAMES = 8;

/** Known trouble in a namespace: a slow and lossy path, a reader that is too slow, a full accept queue, local pairs. */
test('busy-namespace', { timeout: 120_000 }, () =>
  withNetns(async (ns) => {
    const peer = await ns.peer();
    await nftRule(peer, 'input', 'tcp dport 5000 numgen random mod 100 < 1 drop');
    await ns.run('tc', ...'qdisc add dev veth root tbf rate 20mbit burst 32k latency 50ms'.split(' '));
    await peer.start('sink.py', '0.0.0.0', 5000);
    await peer.start('sink.py', '0.0.0.0', 5001, 'stall');
    await ns.start('source.py', '10.99.0.2', 5000, 60_000, 5);
    await ns.start('source.py', '10.99.0.2', 5001, 1_000_000, 50);
    const server = await ns.start('pingpong.c', 'server', 0, 20);
    await ns.start('pingpong.c', 'client', server.ready.port, 512, 500);
    await ns.start('listener.py', '127.0.0.1', 8080, 4);
    await ns.start('connector.py', '127.0.0.1', 8080, 8);
    const churn = await ns.start('churn.c', 'serve', '127.0.0.1', 'server');
    const opener = await ns.start('churn.c', 'connect', '127.0.0.1', churn.ready.port, 'server');
    const more = setInterval(() => void opener.ask('go 12', 'done').catch(() => {}), 300);
    try {
      const command = `hostname host; timeout -s INT 14 "$0" "$@" || true`;
      const output = await ns.run('unshare', '--uts', 'sh', '-c', command, process.execPath, BIN, 'top', '--json');
      const frames = output
        .trimEnd()
        .split('\n')
        .slice(0, FRAMES)
        .map((line) => redacted(JSON.parse(line)));
      expect(frames).toHaveLength(FRAMES);
      mkdirSync(FOLDER, { recursive: true });
      writeFileSync(
        RECORDING,
        Buffer.concat(frames.map((frame) => gzipSync(`${JSON.stringify(frame)}\n`, { level: 9 }))),
      );
    } finally {
      clearInterval(more);
    }
  }),
);

/** What the screen shows of it: to be read before it is committed. */
test('screens', { timeout: 120_000 }, writeGolden);

/** Only what the test itself started, and no folder of whoever records. */
function redacted(frame: Frame): Frame {
  const own = new Set(frame.processes.filter(({ commandLine }) => commandLine?.includes(root)).map(({ pid }) => pid));
  const plain: Frame = {
    ...frame,
    processes: frame.processes.filter(({ pid }) => own.has(pid)),
    descriptors: frame.descriptors.filter(({ pid }) => own.has(pid)),
    ...(frame.scheduler && {
      scheduler: { ...frame.scheduler, threads: frame.scheduler.threads.filter(({ pid }) => own.has(pid)) },
    }),
  };
  return JSON.parse(JSON.stringify(plain).replaceAll(root, '/opt/')) as Frame;
}
