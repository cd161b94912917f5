import type { Connection } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { info, pass, unknown, warn } from '../findings.js';
import { setSysctls } from '../remedies.js';
import { connectionName, connectionSubject, judgedConnections } from './sockets.js';

const KEY = 'net.ipv4.tcp_notsent_lowat';
const WANTED = 131_072;
/** From here on the kernel's default (4294967295) and the like: no limit at all. */
const UNLIMITED = 2 ** 31;
/** Unsent bytes worth a word: at least this many, and more than the congestion window takes at once. */
const MANY_BYTES = 262_144;
const WINDOWS = 1;

export const notsent = defineCheck({
  id: 'notsent',
  title: 'Data that waits in the send buffer',
  category: 'tcp',
  scope: 'netns',
  priority: 30,
  thresholds: {
    delay: { default: 100, unit: 'ms', description: 'Time that newly written data waits before it is sent.' },
  },
  page: {
    mechanism:
      'write() succeeds as long as the send buffer has room, and it grows to megabytes. What is written last is sent only after all before it: a program that could still change its mind (a newer video frame, a more urgent stream) has given the data away long before it leaves. TCP_NOTSENT_LOWAT limits how much may wait unsent.',
    reads:
      'Unsent bytes, congestion window and delivery rate of the connections with most (tcp_info by sock_diag); net.ipv4.tcp_notsent_lowat and TCP_NOTSENT_LOWAT.',
    threshold:
      'info, in the latency profile warn: at least 256 KiB and a congestion window unsent, and at the current rate 100 ms of waiting, on a connection that moves and has no limit. Bulk transfers do not mind.',
    why: 'What the program writes now leaves this host that much later.',
    remedy:
      'For streams that care for latency set TCP_NOTSENT_LOWAT to 131072 in the program (HTTP/2 servers do), or net.ipv4.tcp_notsent_lowat for all.',
    risk: 'More wake-ups of the program; a little throughput on very fast paths.',
    undo: 'sysctl -w net.ipv4.tcp_notsent_lowat=4294967295',
    needs: 'nothing: it holds for open connections at once',
    tune: { keys: ['net.ipv4.tcp_notsent_lowat'] },
    sources: ['https://docs.kernel.org/networking/ip-sysctl.html (tcp_notsent_lowat)'],
  },
  judge(context: NetContext): Finding[] {
    const { net, profile } = context;
    const connections = judgedConnections(context);
    if (connections === undefined) return [unknown('the sockets of this namespace could not be read')];
    const global = net.sysctlNumber(KEY) ?? UNLIMITED;
    const waiting: Waiting[] = connections.flatMap((connection) => {
      const delayMs = waits(connection, global);
      return delayMs !== undefined && delayMs >= context.threshold('delay') ? [{ connection, delayMs }] : [];
    });
    if (waiting.length === 0) return [pass('nothing waits long in a send buffer', [net.sysctlEvidence(KEY)])];
    const worst = waiting.toSorted((a, b) => b.delayMs - a.delayMs);
    return profile === 'latency'
      ? worst.map((wait) => describe(context, warn, wait))
      : [describe(context, info, worst[0] as Waiting, worst.length - 1)];
  },
});

interface Waiting {
  connection: Connection;
  delayMs: number;
}

function describe({ net }: NetContext, finding: typeof warn, { connection, delayMs }: Waiting, others = 0): Finding {
  const { notSentBytes = 0, cwndSegments = 0 } = connection;
  return finding(
    `${connectionName(connection)} has ${notSentBytes} bytes written and not sent: ${Math.round(delayMs)} ms at its rate${others > 0 ? `, and ${others} other connections are like it` : ''}`,
    [
      { source: 'tcp_info', key: 'not sent', value: notSentBytes, unit: 'bytes', scope: 'now' },
      { source: 'tcp_info', key: 'congestion window', value: cwndSegments, unit: 'segments', scope: 'now' },
      net.sysctlEvidence(KEY),
    ],
    {
      subject: connectionSubject(connection),
      weight: delayMs,
      remedy: {
        summary: 'If its latency matters, set TCP_NOTSENT_LOWAT in the program, or for all connections:',
        ...setSysctls(net, { [KEY]: WANTED }),
      },
    },
  );
}

/** Milliseconds that the unsent bytes take; undefined where they are few, limited, or the connection stands still. */
function waits(connection: Connection, global: number): number | undefined {
  const { notSentBytes, cwndSegments, mssBytes, window, options } = connection;
  if (notSentBytes === undefined || cwndSegments === undefined || mssBytes === undefined) return undefined;
  const limit = options?.notSentLowWaterBytes ? options.notSentLowWaterBytes : global;
  if (limit < UNLIMITED || notSentBytes < Math.max(MANY_BYTES, WINDOWS * cwndSegments * mssBytes)) return undefined;
  const perMs = window?.bytesSent ? window.bytesSent / window.ms : (connection.deliveryRateBps ?? 0) / 8000;
  if (window ? !window.bytesSent : perMs === 0) return undefined;
  return notSentBytes / perMs;
}
