import { sysctlFiles } from '../sysctl-files.js';
import { containerProbe } from './container.js';
import { stat } from './cpu-times.js';
import { topology } from './cpus.js';
import { fileFeatures } from './features.js';
import { identity } from './identity.js';
import { interrupts, networkIrqs, softirqs } from './interrupts.js';
import { machine, sameRootAsPid1 } from './machine.js';
import { fileNr, memory, vmstat } from './memory.js';
import { congestionControls } from './modules.js';
import { settingOwners } from './owners.js';
import { pressure } from './pressure.js';
import { programs } from './programs.js';
import { softnet } from './softnet.js';
import { hostSysctls } from './sysctls.js';
import { virtualizationProbe } from './virtualization.js';

/** Read once per snapshot. `hypervisor` is what CPUID says. */
export const hostFactProbes = (hypervisor: string | undefined) => ({
  identity,
  topology,
  machine,
  container: containerProbe(sameRootAsPid1()),
  virtualization: virtualizationProbe(hypervisor),
  sysctls: hostSysctls,
  sysctlFiles,
  settingOwners,
  programs,
  congestionControls,
  features: fileFeatures,
  networkIrqs,
});

/** Read at both ends of the window. */
export const hostReadingProbes = { stat, softnet, softirqs, interrupts, pressure, memory, vmstat, files: fileNr };
