import { defineCheck, type Finding, type HostContext } from '../check.js';
import { info, notApplicable, pass, unknown } from '../findings.js';
import { type RdmaVerdict, rdmaVerdicts } from './verdict.js';

export const rdmaVerdict = defineCheck({
  id: 'rdma-verdict',
  title: 'Can this NIC carry sockets over RDMA?',
  category: 'rdma',
  scope: 'host',
  priority: 20,
  page: {
    mechanism:
      'RDMA lets a card move data between the memory of two programs without the kernel. Sockets can be carried that way when everything from the card to the program is there: a card that can, its driver, device nodes, a user-space provider, permission, an active port, and for RoCE an address that routers know.',
    reads:
      'PCI identities of network cards, /sys/class/infiniband, RDMA netlink, /dev/infiniband, and libibverbs where it is installed (loaded at run time).',
    threshold:
      'pass: able. info: a card that can, but something is missing, and the reason says what; or no such card, but this kernel has software RDMA (rxe, siw). not-applicable: neither.',
    why: 'Says in one sentence whether RDMA is an option here, and what is missing.',
    remedy: 'As the reason says.',
    risk: 'RDMA moves data past the kernel: firewalls, packet capture and traffic control do not see it.',
    undo: 'Unload the module, or remove the address, that was added.',
    needs: 'nothing',
    sources: [
      'https://docs.kernel.org/infiniband/user_verbs.html',
      'Documentation/ABI/stable/sysfs-class-infiniband (kernel)',
      'rdma-link(8)',
    ],
  },
  judge({ host }: HostContext): Finding[] {
    const { rdma } = host.facts;
    if (!rdma) return [unknown('RDMA devices and cards could not be read')];
    return rdmaVerdicts(rdma).map(findingOf);
  },
});

function findingOf({ able, reason, sentence, device, interface: name, evidence, next }: RdmaVerdict): Finding {
  const proof = [{ source: 'verdict', key: 'reason', value: reason, unit: '' }, ...evidence];
  const extra = { subject: { ...(device ? { device } : {}), ...(name ? { interface: name } : {}) } };
  if (able) return pass(sentence, proof, extra);
  if (reason === 'no-hardware' && !next) return notApplicable(sentence, proof, extra);
  return info(sentence, proof, next ? { ...extra, remedy: next } : extra);
}
