import type { Evidence } from '../../model/results.js';
import type { RdmaDevice, RdmaPort } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { fail, info, needsWindow, pass, unknown, warn } from '../findings.js';
import { growth, type HostView } from '../view.js';
import { eachPort, portFolder, portName, subjectOf } from './devices.js';

/** Connections that gave up. */
const LOST = ['req_transport_retries_exceeded', 'retry_exceeded_err', 'retry_rnr_exceeded_err'];

/** Packets that were lost or damaged on the way, or met a receiver that was not ready: the card sends them again. */
const RETRIED = [
  'out_of_sequence',
  'packet_seq_err',
  'local_ack_timeout_err',
  'implied_nak_seq_err',
  'rnr_nak_retry_err',
  'out_of_buffer',
  'port_xmit_discards',
  'port_rcv_errors',
  'symbol_error',
  'link_error_recovery',
  'link_downed',
  'local_link_integrity_errors',
  'excessive_buffer_overrun_errors',
  // soft-RoCE
  'out_of_seq_request',
  'rcvd_seq_err',
  'completer_retry_err',
  'rcvd_rnr_err',
  'send_rnr_err',
];

/** Congestion that the fabric handles as it should. */
const CONGESTION = ['np_cnp_sent', 'np_ecn_marked_roce_packets', 'rp_cnp_handled', 'port_xmit_wait'];

export const rdmaFabric = defineCheck({
  id: 'rdma-fabric',
  title: 'RDMA fabric errors and congestion',
  category: 'rdma',
  scope: 'host',
  priority: 70,
  page: {
    mechanism:
      'RDMA cards expect a network that hardly loses packets. After a loss they repeat everything from the lost packet on, after a timeout; when retries run out the connection is gone. Lossless fabrics slow senders down instead, by ECN marks and congestion notification packets (CNP) and by pausing priorities (PFC).',
    reads:
      'counters and hw_counters below /sys/class/infiniband/DEVICE/ports/N; rx_prioN_pause and tx_prioN_pause of the network interface (ethtool -S), twice.',
    threshold:
      'fail: connections ran out of retries within the window. warn: packets out of sequence, timeouts, discards or link errors within the window. info: CNP, ECN or PFC activity within the window, or errors since boot.',
    why: 'Each loss stalls its queue pair for a timeout and repeats much of what was in flight.',
    remedy:
      'See that PFC and ECN are set alike on card and switches for the priority that RDMA uses; check cables and transceivers.',
    risk: 'PFC set wrongly can stop a whole fabric.',
    undo: 'Set card and switches back.',
    needs: 'the owner of the network',
    sources: [
      'Documentation/ABI/stable/sysfs-class-infiniband (kernel)',
      'rdma-statistic(8)',
      'https://docs.kernel.org/networking/device_drivers/ethernet/mellanox/mlx5/counters.html (rx_prio[p]_pause)',
    ],
  },
  judge: (context: HostContext) =>
    eachPort(context, (device, port) => {
      if (!context.host.first) return { ...needsWindow(), ...subjectOf(device, port) };
      return judgePort(context, device, port);
    }),
});

interface Counted {
  key: string;
  source: string;
  delta?: number;
  total: number;
}

function judgePort(context: HostContext, device: RdmaDevice, port: RdmaPort): Finding {
  const extra = subjectOf(device, port);
  const name = portName(device, port);
  const counters = countersOf(context.host, device, port);
  if (counters.length === 0) return unknown(`${name} shows no counters`, [], extra);
  const moved = (names: readonly string[]) =>
    counters.filter(({ key, delta }) => names.includes(key) && (delta ?? 0) > 0);
  const say = (found: readonly Counted[]) => found.map(({ key, delta }) => `${key} ${delta}`).join(', ');
  const weight = (found: readonly Counted[]) => found.reduce((sum, { delta }) => sum + (delta ?? 0), 0);
  const lost = moved(LOST);
  if (lost.length > 0)
    return fail(`${name}: connections ran out of retries (${say(lost)})`, evidenceOf(lost), {
      ...extra,
      weight: weight(lost),
    });
  const retried = moved(RETRIED);
  if (retried.length > 0)
    return warn(`${name} lost or repeated packets (${say(retried)})`, evidenceOf(retried), {
      ...extra,
      weight: weight(retried),
    });
  const congested = [...moved(CONGESTION), ...priorityPause(context, port)];
  if (congested.length > 0)
    return info(
      `${name}: the fabric was congested and slowed senders down (${say(congested)})`,
      evidenceOf(congested),
      extra,
    );
  const since = counters.filter(({ key, total }) => total > 0 && [...LOST, ...RETRIED].includes(key));
  if (since.length > 0)
    return info(
      `${name}: errors since boot, none within the window: ${since.map(({ key, total }) => `${key} ${total}`).join(', ')}`,
      evidenceOf(since),
      extra,
    );
  return pass(
    `${name} has no errors`,
    evidenceOf(counters.filter(({ key }) => [...LOST, ...RETRIED].includes(key))),
    extra,
  );
}

/** With the growth where the counters were read at both ends; else what they were when the device was read. */
function countersOf(host: HostView, device: RdmaDevice, port: RdmaPort): Counted[] {
  const at = (reading: HostView['last'] | undefined) =>
    reading?.rdmaCounters?.find((c) => c.device === device.name && c.port === port.port)?.counters;
  const first = at(host.first);
  return Object.entries(at(host.last) ?? port.counters).map(([key, total]) => {
    const delta = growth(first?.[key], total);
    return { key, source: portFolder(device, port), total, ...(delta === undefined ? {} : { delta }) };
  });
}

/** PFC: pause frames of a priority, on the interface behind the port. */
function priorityPause({ snapshot }: HostContext, port: RdmaPort): Counted[] {
  const at = (index: number) =>
    snapshot.readings
      .at(index)
      ?.netns.flatMap(({ links }) => links)
      .find(({ name }) => name === port.interface)?.driver;
  const [first, last] = [at(0), at(-1)];
  return Object.entries(last ?? {}).flatMap(([key, total]) => {
    const delta = /^[rt]x_prio\d+_pause$/.test(key) ? growth(first?.[key], total) : undefined;
    return delta ? [{ key, source: 'ethtool -S', total, delta }] : [];
  });
}

const evidenceOf = (counters: readonly Counted[]): Evidence[] =>
  counters.flatMap(({ key, source, delta, total }) => [
    ...(delta === undefined ? [] : [{ source, key, value: delta, unit: '1', scope: 'window' as const }]),
    { source, key, value: total, unit: '1', scope: 'total' as const },
  ]);
