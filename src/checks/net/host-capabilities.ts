import type { Evidence } from '../../model/results.js';
import type { HostFacts } from '../../model/snapshot/index.js';
import { defineCheck, type Finding } from '../check.js';
import { info, pass, unknown } from '../findings.js';

/** In the order in which they are shown, as a person calls them. */
const NAMES: Readonly<Record<string, string>> = {
  smc: 'SMC sockets',
  sockmap: 'sockmap',
  io_uring: 'io_uring',
  'io_uring-send-zc': 'io_uring zero-copy send',
  'io_uring-recv-zc': 'io_uring zero-copy receive',
  'msg-zerocopy': 'MSG_ZEROCOPY',
  ktls: 'kernel TLS',
  mptcp: 'MPTCP',
};

export const hostCapabilities = defineCheck({
  id: 'host-capabilities',
  title: 'Faster socket paths that this kernel offers',
  category: 'socket',
  scope: 'host',
  priority: 5,
  page: {
    mechanism:
      'Beside plain sockets a kernel may offer shorter paths: SMC (TCP sockets carried by RDMA or shared memory, AF_SMC), sockmap (BPF moves data between local sockets past the stack), io_uring (requests without a system call each, with zero-copy send and receive in newer kernels), MSG_ZEROCOPY and kernel TLS.',
    reads:
      'Each is asked for at run time: a socket of AF_SMC, a BPF map of type sockmap, io_uring_setup() and its probe of operations; kernel.io_uring_disabled.',
    threshold:
      'info: a path is built in but switched off, or a neighbour of it that this host could use is missing. Otherwise pass. Never worse.',
    why: 'Programs that know these paths save copies and system calls.',
    remedy: 'Nothing has to be done; a program must ask for each of them.',
    risk: 'io_uring has had more security fixes than most of the kernel; some owners switch it off on purpose.',
    undo: 'sysctl -w kernel.io_uring_disabled=<former value>',
    needs: 'a program that uses it',
    sources: [
      'https://docs.kernel.org/admin-guide/sysctl/kernel.html (io_uring_disabled)',
      'https://docs.kernel.org/networking/smc-sysctl.html',
      'https://docs.kernel.org/bpf/map_sockmap.html',
      'https://docs.kernel.org/networking/msg_zerocopy.html',
      'io_uring(7)',
    ],
  },
  judge({ host }) {
    const { facts } = host;
    const known = Object.keys(NAMES).filter((name) => facts.features[name] !== undefined);
    if (known.length === 0) return [unknown('which of these paths the kernel has could not be read')];
    const have = known.filter((name) => facts.features[name]?.available);
    const lack = known.filter((name) => !facts.features[name]?.available);
    const list = (names: readonly string[]) => names.map((name) => NAMES[name]).join(', ') || 'none';
    const summary = `there: ${list(have)}; not there: ${list(lack)}`;
    const evidence = known.map((name): Evidence => {
      const feature = facts.features[name];
      return {
        source: 'asked at run time',
        key: name,
        value: feature?.detail ?? feature?.available ?? false,
        unit: '',
        scope: 'now',
      };
    });
    const extra = opportunities(facts);
    return extra.length > 0 ? extra.map((text) => info(`${text}. ${summary}`, evidence)) : [pass(summary, evidence)];
  },
});

function opportunities(facts: HostFacts): Finding['summary'][] {
  const found: string[] = [];
  const disabled = facts.sysctls['kernel.io_uring_disabled'];
  if (disabled === '2') found.push('io_uring is switched off for everybody (kernel.io_uring_disabled=2)');
  if (disabled === '1')
    found.push('io_uring is switched off for users outside kernel.io_uring_group (kernel.io_uring_disabled=1)');
  if ((facts.rdma?.devices.length ?? 0) > 0 && facts.features.smc?.available === false)
    found.push('there is an RDMA device, but no SMC (module smc), which would carry TCP sockets over it');
  return found;
}
