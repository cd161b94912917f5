import { defineCheck, type Finding, type HostContext } from '../check.js';
import { info, notApplicable, pass, unknown } from '../findings.js';
import { nowRow } from './devices.js';
import { rdmaStackVerdict } from './verdict.js';

export const rdmaStack = defineCheck({
  id: 'rdma-stack',
  title: 'RDMA stack',
  category: 'rdma',
  scope: 'host',
  priority: 15,
  page: {
    mechanism:
      'Between a card and a program stand: the RDMA driver of the card (mlx5_ib beside mlx5_core, irdma beside ice), ib_uverbs with its nodes in /dev/infiniband, and in user space libibverbs with a provider for the driver.',
    reads: 'PCI identities of network cards, /sys/class/infiniband, RDMA netlink, /dev/infiniband, libibverbs.',
    threshold:
      'pass: complete. info: a card or a device is there, and a part is missing. not-applicable: neither card nor device.',
    why: 'A part that is missing makes every RDMA program fail, usually with an error that does not name it.',
    remedy: 'Load or install the part that is missing.',
    risk: 'None beyond that of the module.',
    undo: 'modprobe -r MODULE',
    needs: 'nothing',
    sources: ['https://docs.kernel.org/infiniband/user_verbs.html', 'rdma-dev(8), rdma-link(8)'],
  },
  judge({ host }: HostContext): Finding[] {
    const { rdma } = host.facts;
    if (!rdma) return [unknown('RDMA devices and cards could not be read')];
    const blocked = rdmaStackVerdict(rdma);
    const { stack, devices } = rdma;
    if (!blocked)
      return [
        pass(`the RDMA stack is complete for ${devices.map(({ name }) => name).join(', ')}`, [
          nowRow('/dev/infiniband', 'device nodes', stack.deviceNodes.join(' ')),
          nowRow('libibverbs', 'library', stack.verbsLibrary ?? 'none'),
          nowRow('libibverbs', 'devices with a provider', stack.verbsDevices ?? 'unknown'),
        ]),
      ];
    const words = blocked.sentence.replace(/^No: /, '');
    if (blocked.reason === 'no-hardware') return [notApplicable(words, blocked.evidence)];
    return [info(words, blocked.evidence, blocked.next ? { remedy: blocked.next } : {})];
  },
});
