import { execa } from 'execa';
import { ss } from './independent.js';
import { type Netns, poll } from './live.js';

/** What iperf3 says of a run, as far as tests look at it. */
export interface IperfReport {
  intervals: { sum: { bits_per_second: number; retransmits: number; seconds: number } }[];
  end: {
    sum_sent: { retransmits: number; bytes: number; seconds: number };
    sum_received: { bits_per_second: number; bytes: number };
  };
}

/**
 * A transfer from `ns` to `server` (10.99.0.2) for so many seconds, by Reno, which every kernel has. `data` is the local
 * end of the connection that carries it; the control connection is another.
 */
export async function iperf(ns: Netns, server: Netns, seconds: number, ...args: string[]) {
  const listening = execa('ip', ['netns', 'exec', server.name, 'iperf3', '-s', '-1'], { reject: false });
  await poll('iperf3 listens', async () => (await ss(server, '-ltn', 'sport = :5201')).length > 0);
  const client = ['iperf3', '-c', '10.99.0.2', '-t', `${seconds}`, '-C', 'reno', '-J', ...args];
  const sending = execa('ip', ['netns', 'exec', ns.name, ...client], { reject: false });
  const data = await poll('data flows', async () => {
    const rows = await ss(ns, '-tn', 'state', 'established', 'dport = :5201');
    return rows.find((row) => row.send > 20_000)?.local;
  });
  return {
    data,
    report: async () => JSON.parse((await sending).stdout) as IperfReport,
    async stop() {
      for (const one of [sending, listening]) one.kill('SIGKILL');
      await Promise.all([sending, listening]);
    },
  };
}
