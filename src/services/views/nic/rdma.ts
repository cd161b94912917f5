import { isDevice } from '../../../checks/nic/nics.js';
import { type RdmaVerdict, rdmaVerdicts } from '../../../checks/rdma/verdict.js';
import type { Link, Rdma } from '../../../model/snapshot/index.js';
import type { NicRdma } from '../../../model/views/nic.js';

/** The verdict that concerns this interface, and its word; undefined for an interface that RDMA does not know. */
export function rdmaOf(link: Link, rdma: Rdma): (NicRdma & { word: string }) | undefined {
  const verdict = verdictOf(link, rdma);
  if (!verdict) return undefined;
  const { able, reason, sentence, device, next } = verdict;
  return {
    able,
    reason,
    sentence,
    ...(device === undefined ? {} : { device }),
    ...(next ? { next: { summary: next.summary, commands: [...next.commands] } } : {}),
    word: able ? `yes, ${device}` : (WORDS[reason] ?? reason.replaceAll('-', ' ')),
  };
}

const WORDS: Readonly<Record<string, string>> = {
  'no-roce-v2-gid': 'no RoCE v2 GID',
  'link-local-only': 'link-local GID',
  'no-hardware': 'no',
};

function verdictOf(link: Link, rdma: Rdma): RdmaVerdict | undefined {
  const verdicts = rdmaVerdicts(rdma);
  const own = verdicts.find((verdict) => verdict.interface === link.name);
  if (own) return own;
  // A VLAN on it has GIDs of its own in the same port's table.
  const carrier = rdma.devices.find(({ ports }) =>
    ports.some(({ gids }) => gids.some((gid) => gid.interface === link.name)),
  );
  if (carrier) return verdicts.find(({ device }) => device === carrier.name);
  if (!isDevice(link)) return undefined;
  const card = rdma.stack.capableHardware.find(({ bus }) => bus === link.bus);
  if (rdma.devices.length === 0 && (card || rdma.stack.capableHardware.length === 0)) return verdicts[0];
  return {
    able: false,
    reason: 'no-hardware',
    sentence: `No: no RDMA device of this host belongs to ${link.name}`,
    evidence: [],
  };
}
