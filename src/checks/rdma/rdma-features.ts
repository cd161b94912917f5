import type { RdmaDevice } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { pass, unknown } from '../findings.js';
import { eachDevice, nowRow, subjectOf } from './devices.js';

export const rdmaFeatures = defineCheck({
  id: 'rdma-features',
  title: 'What the RDMA device can do',
  category: 'rdma',
  scope: 'host',
  priority: 3,
  page: {
    mechanism:
      'Atomics let peers change memory words without a program; on-demand paging registers memory without pinning it; device memory lies on the card; completion vectors spread completion interrupts over CPUs.',
    reads: 'ibv_query_device_ex; numa_node of the device.',
    threshold: 'Always pass: facts for whoever writes or places an RDMA program.',
    why: 'Says what a program can rely on with this device.',
    remedy: 'Nothing to do.',
    risk: 'None.',
    undo: 'Not applicable.',
    needs: 'nothing',
    sources: ['ibv_query_device_ex(3)'],
  },
  judge: (context: HostContext) => eachDevice(context, (device) => [judgeDevice(context, device)]),
});

function judgeDevice({ host }: HostContext, device: RdmaDevice): Finding {
  const { maxima, numaNode } = device;
  const extra = subjectOf(device);
  if (!maxima)
    return unknown(
      `the features of ${device.name} could not be read (${host.facts.rdma?.stack.verbsError ?? 'needs libibverbs and its device node'})`,
      [],
      extra,
    );
  const source = 'ibv_query_device_ex';
  const words = [
    `atomics: ${maxima.atomics}`,
    `on-demand paging: ${maxima.onDemandPaging ? 'yes' : 'no'}`,
    `device memory: ${maxima.deviceMemoryBytes} bytes`,
    `completion vectors: ${maxima.completionVectors}`,
    ...(numaNode === undefined ? [] : [`NUMA node ${numaNode}`]),
  ];
  return pass(
    `${device.name}: ${words.join(', ')}`,
    [
      nowRow(source, 'atomics', maxima.atomics),
      nowRow(source, 'on-demand paging', maxima.onDemandPaging),
      nowRow(source, 'device memory', maxima.deviceMemoryBytes, 'bytes'),
      nowRow(source, 'completion vectors', maxima.completionVectors, '1'),
      ...(numaNode === undefined ? [] : [nowRow('sysfs', 'numa_node', numaNode)]),
    ],
    extra,
  );
}
