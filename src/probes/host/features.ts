import type { HostFacts } from '../../model/snapshot/index.js';
import type { FileProbe, Found } from '../files.js';
import { loadable, loadableWants } from './modules.js';

type Features = HostFacts['features'];

const PROTOCOLS = '/proc/thread-self/net/protocols';
const ULP = '/proc/sys/net/ipv4/tcp_available_ulp';
const MPTCP = '/proc/sys/net/mptcp/enabled';
const BTF = '/sys/kernel/btf/vmlinux';
const OWN_SCHEDSTAT = '/proc/thread-self/schedstat';

/** Features that files show; those that only a system call shows are asked natively (io_uring, BPF, zero copy). */
export const fileFeatures: FileProbe<Features> = {
  name: 'features',
  wants: {
    files: [...loadableWants.files, PROTOCOLS, ULP, MPTCP, OWN_SCHEDSTAT],
    pathGlobs: [...loadableWants.pathGlobs, BTF, '/proc/pressure/cpu', '/proc/schedstat'],
  },
  parse: (found) => ({
    smc: orModule(found, 'smc', /^SMC6? /m.test(found.text(PROTOCOLS) ?? '')),
    ktls: orModule(found, 'tls', /\btls\b/.test(found.text(ULP) ?? '')),
    mptcp: mptcp(found.line(MPTCP)),
    btf: { available: found.has(BTF) },
    psi: { available: found.has('/proc/pressure/cpu') },
    schedstat: schedstat(found),
  }),
};

function orModule(found: Found, module: string, loaded: boolean): Features[string] {
  if (loaded) return { available: true };
  return loadable(found).includes(module)
    ? { available: true, detail: `module ${module}, not loaded` }
    : { available: false };
}

function mptcp(enabled: string | undefined): Features[string] {
  if (enabled === undefined) return { available: false };
  return { available: true, detail: `net.mptcp.enabled = ${enabled}` };
}

/** Without CONFIG_SCHED_INFO the file of a thread is there but all zero. */
function schedstat(found: Found): Features[string] {
  const ran = (found.text(OWN_SCHEDSTAT) ?? '')
    .trim()
    .split(' ')
    .some((word) => Number(word) > 0);
  if (!ran) return { available: false };
  return found.has('/proc/schedstat') ? { available: true } : { available: true, detail: 'per thread only' };
}
