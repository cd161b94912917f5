import type { Evidence } from '../../model/results.js';
import type { LocalPair } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { info, needsWindow, notApplicable, pass, unknown } from '../findings.js';
import { judgedPids } from '../view.js';
import { bytes, round } from './numbers.js';
import { named } from './subjects.js';

interface Rate {
  pair: LocalPair;
  bytesPerSecond: number;
  segmentsPerSecond: number;
}

export const localTraffic = defineCheck({
  id: 'local-traffic',
  title: 'Traffic between programs of this host',
  category: 'application',
  scope: 'netns',
  priority: 15,
  thresholds: {
    bytesPerSecond: {
      default: 10_000_000,
      unit: 'bytes/s',
      description: 'Both directions of all connections of two processes',
    },
    segmentsPerSecond: { default: 1000, unit: '1/s', description: 'Data segments, likewise: about one per message' },
  },
  page: {
    mechanism:
      'Two programs of one host that talk over TCP pay for the whole stack: system calls, locks, buffers, acknowledgements, and a wake-up for each message, though the bytes never leave memory. Shared memory does the same in a fraction of the time: SocksDirect measured 11 us against 0.25 us for the transports within a host.',
    reads:
      'tcp_info of both ends by sock_diag (bytes and data segments), twice, for connections whose two ends are on this host, joined to their processes. A data segment stands for a message: large ones are counted low, since loopback segments hold up to 64 KiB.',
    threshold:
      'info: two processes moved 10 MB a second or 1000 data segments a second or more between them within the window.',
    why: 'This traffic pays for a network that it does not use.',
    remedy:
      'A candidate for the user-space sockets; until then UNIX sockets where both programs can use them, and larger messages.',
    risk: 'None: this is an observation.',
    undo: 'nothing was changed',
    needs: 'nothing',
    sources: ['B. Li et al.: SocksDirect: Datacenter Sockets can be Fast and Compatible (SIGCOMM 2019)', 'unix(7)'],
  },
  judge({ net, snapshot, threshold }: NetContext): Finding[] {
    const { sockets } = net.last;
    if (!sockets) return [unknown('the sockets of this namespace could not be read')];
    if (net.windowMs === undefined) return [needsWindow()];
    const judged = judgedPids(snapshot);
    const self = new Set(snapshot.self);
    const rates = sockets.localPairs
      .filter(({ client, server }) => judged(client.pid) || judged(server.pid))
      .filter(({ client, server }) => !self.has(client.pid) && !self.has(server.pid))
      .flatMap(rateOf);
    if (rates.length === 0) return [notApplicable('no two processes of this host talk to each other over TCP')];
    const high = rates.filter(
      (rate) =>
        rate.bytesPerSecond >= threshold('bytesPerSecond') || rate.segmentsPerSecond >= threshold('segmentsPerSecond'),
    );
    if (high.length > 0) return high.map(report);
    const most = rates.toSorted((a, b) => b.bytesPerSecond - a.bytesPerSecond)[0] as Rate;
    return [
      pass(
        `${rates.length} pairs of processes talk over TCP within this host; the most: ${sentence(most)}`,
        evidence(most),
      ),
    ];
  },
});

function rateOf(pair: LocalPair): Rate[] {
  if (!pair.windowMs) return [];
  const seconds = pair.windowMs / 1000;
  return [{ pair, bytesPerSecond: pair.bytes / seconds, segmentsPerSecond: pair.segments / seconds }];
}

const sentence = ({ pair, bytesPerSecond, segmentsPerSecond }: Rate): string =>
  `${named(pair.client)} and ${named(pair.server)} on port ${pair.server.port} moved ${bytes(Math.round(bytesPerSecond))} and ${Math.round(segmentsPerSecond)} data segments a second over ${pair.connections} connection${pair.connections === 1 ? '' : 's'}`;

function report(rate: Rate): Finding {
  const { server } = rate.pair;
  return info(sentence(rate), evidence(rate), {
    subject: { pid: server.pid, comm: server.comm },
    weight: rate.segmentsPerSecond + rate.bytesPerSecond / 65_536,
    remedy: { summary: `${named(rate.pair.client)} and ${named(server)} are a candidate for the user-space sockets` },
  });
}

function evidence({ pair, bytesPerSecond, segmentsPerSecond }: Rate): Evidence[] {
  const row = (key: string, value: number, unit: string, subject?: Evidence['subject']): Evidence => ({
    source: 'sock_diag tcp_info',
    key,
    value,
    unit,
    scope: 'window',
    ...(subject ? { subject } : {}),
  });
  const client = { pid: pair.client.pid, comm: pair.client.comm };
  return [
    row('bytes', pair.bytes, 'bytes', client),
    row('data segments', pair.segments, '1', client),
    row('bytes per second', Math.round(bytesPerSecond), 'bytes/s'),
    row('data segments per second', round(segmentsPerSecond), '1/s'),
    { source: 'sock_diag', key: 'connections', value: pair.connections, unit: 'connections', scope: 'now' },
  ];
}
