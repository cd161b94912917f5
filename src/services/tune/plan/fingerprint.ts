import { createHash } from 'node:crypto';
import type { Snapshot } from '../../../model/snapshot/index.js';
import { interfaceOf } from '../../../model/tune/keys.js';
import type { Fingerprint, NetnsIdentity, PlanRow } from '../../../model/tune/plan.js';
import { readFiles } from '../../../probes/native.js';

const MACHINE = '/etc/machine-id';
const BOOT = '/proc/sys/kernel/random/boot_id';

/** What a plan is made for. */
export async function fingerprintOf({ host, netns }: Snapshot, identity: NetnsIdentity): Promise<Fingerprint> {
  const { files } = await readFiles({ files: [MACHINE, BOOT] });
  const [machine, boot] = [files[MACHINE]?.trim(), files[BOOT]?.trim()];
  return {
    hostname: host.hostname,
    kernel: host.kernel,
    ...(boot ? { bootId: boot } : {}),
    ...(machine ? { machineId: createHash('sha256').update(machine).digest('hex').slice(0, 16) } : {}),
    cpus: host.cpus.length,
    memoryBytes: host.memoryBytes,
    netns: identity,
    links: (netns[0]?.links ?? [])
      .filter(({ type }) => type !== 'loopback')
      .map(({ name, driver, speedMbps, bus }) => ({
        name,
        ...(driver === undefined ? {} : { driver }),
        ...(speedMbps === undefined ? {} : { speedMbps }),
        ...(bus === undefined ? {} : { bus }),
      })),
  };
}

/** How a host differs from the one that a plan was made for, in words; empty when the plan holds for it. */
export function differences(made: Fingerprint, now: Fingerprint, rows: readonly PlanRow[]): string[] {
  const differs = (what: string, a: unknown, b: unknown) =>
    a === undefined || b === undefined || a === b ? [] : [`${what} was ${a} and is ${b}`];
  const sameBoot = made.bootId === now.bootId;
  return [
    ...differs('the machine', made.machineId, now.machineId),
    ...(made.machineId === undefined ? differs('the host name', made.hostname, now.hostname) : []),
    ...(sameBoot ? [] : ['the host was restarted since']),
    ...differs('the kernel', made.kernel, now.kernel),
    ...differs('the number of CPUs', made.cpus, now.cpus),
    ...differs('the memory', made.memoryBytes, now.memoryBytes),
    ...(sameBoot ? namespaceDifferences(made.netns, now.netns) : []),
    ...linkDifferences(made, now, rows),
  ];
}

function namespaceDifferences(made: NetnsIdentity, now: NetnsIdentity): string[] {
  const same =
    made.id === now.id && (made.cookie === undefined || now.cookie === undefined || made.cookie === now.cookie);
  return same ? [] : [`the network namespace was ${made.name ?? made.id} and is ${now.name ?? now.id}`];
}

/** Only of interfaces that the plan touches: others come and go. */
function linkDifferences(made: Fingerprint, now: Fingerprint, rows: readonly PlanRow[]): string[] {
  const touched = new Set(rows.map(({ key }) => interfaceOf(key)));
  return made.links
    .filter(({ name }) => touched.has(name))
    .flatMap((link) => {
      const same = now.links.find(({ name }) => name === link.name);
      if (!same) return [`${link.name} is gone`];
      return same.driver === link.driver && same.bus === link.bus && same.speedMbps === link.speedMbps
        ? []
        : [`${link.name} is another device or has another speed`];
    });
}
