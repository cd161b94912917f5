import type { RdmaDevice, RdmaMaxima } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { fail, info, pass, unknown, warn } from '../findings.js';
import { eachDevice, nowRow, subjectOf } from './devices.js';

/** Resources that RDMA netlink counts, with the maximum of each. */
const LIMITED: { resource: string; words: string; max(maxima: RdmaMaxima): number }[] = [
  { resource: 'qp', words: 'queue pairs', max: ({ maxQp }) => maxQp },
  { resource: 'cq', words: 'completion queues', max: ({ maxCq }) => maxCq },
  { resource: 'mr', words: 'memory regions', max: ({ maxMr }) => maxMr },
  { resource: 'pd', words: 'protection domains', max: ({ maxPd }) => maxPd },
];

export const rdmaMaxima = defineCheck({
  id: 'rdma-maxima',
  title: 'RDMA resources and their maxima',
  category: 'rdma',
  scope: 'host',
  priority: 36,
  thresholds: {
    warnPercent: { default: 80, unit: '%', description: 'Use of a resource from which it is a warning.' },
    failPercent: { default: 95, unit: '%', description: 'Use of a resource from which it is a failure.' },
  },
  page: {
    mechanism:
      'A card has a fixed number of queue pairs, completion queues and memory regions. A connection takes one queue pair; completion queues and memory regions can be shared by the connections of a program.',
    reads:
      'ibv_query_device_ex for the maxima, RDMA netlink for what is in use, established TCP connections for comparison.',
    threshold: 'fail: 95 % of a resource in use. warn: 80 %. info: fewer free queue pairs than TCP connections today.',
    why: 'When a resource is used up, new RDMA connections fail.',
    remedy: 'Fewer connections per program, shared receive queues and completion queues; a card with larger limits.',
    risk: 'None.',
    undo: 'Not applicable.',
    needs: 'a change of the application',
    sources: ['ibv_query_device_ex(3)', 'rdma-resource(8)'],
  },
  judge: (context: HostContext) => eachDevice(context, (device) => [judgeDevice(context, device)]),
});

function judgeDevice({ host, snapshot, threshold }: HostContext, device: RdmaDevice): Finding {
  const extra = subjectOf(device);
  const { maxima, resources } = device;
  if (!maxima)
    return unknown(
      `the maxima of ${device.name} could not be read (${host.facts.rdma?.stack.verbsError ?? 'needs libibverbs and its device node'})`,
      [],
      extra,
    );
  const uses = LIMITED.flatMap(({ resource, words, max }) => {
    const used = resources?.[resource];
    const limit = max(maxima);
    return used === undefined || limit <= 0 ? [] : [{ words, used, limit, percent: (100 * used) / limit }];
  });
  const evidence = [
    ...uses.map(({ words, used }) => nowRow('RDMA netlink', `${words} in use`, used, '1')),
    ...(['maxQp', 'maxQpWr', 'maxSge', 'maxCq', 'maxCqe', 'maxMr', 'maxMrBytes'] as const).map((key) =>
      nowRow('ibv_query_device_ex', key, maxima[key], key === 'maxMrBytes' ? 'bytes' : '1'),
    ),
  ];
  const worst = uses.toSorted((a, b) => b.percent - a.percent)[0];
  if (worst && worst.percent >= threshold('warnPercent'))
    return (worst.percent >= threshold('failPercent') ? fail : warn)(
      `${device.name} has ${worst.used} of ${worst.limit} ${worst.words} in use (${Math.round(worst.percent)} %)`,
      evidence,
      { ...extra, weight: worst.percent },
    );
  const free = maxima.maxQp - (resources?.qp ?? 0);
  const today =
    snapshot.readings.at(-1)?.netns.reduce((sum, { sockets }) => sum + (sockets?.tcp.established ?? 0), 0) ?? 0;
  const words = `${device.name} has ${free} queue pairs free, for ${today} TCP connections today`;
  return free < today ? info(words, evidence, extra) : pass(words, evidence, extra);
}
