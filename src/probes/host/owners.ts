import type { SettingOwner } from '../../model/snapshot/index.js';
import type { FileProbe, Found } from '../files.js';
import { TUNED_PROFILES, tunedKeys } from './tuned.js';

const ACTIVE_PROFILE = '/etc/tuned/active_profile';

/** Programs that write kernel settings while they run, by the name of their process (at most 15 characters). */
const PROGRAMS: Readonly<Record<string, string>> = {
  tuned: 'tuned',
  irqbalance: 'irqbalance',
  bpftune: 'bpftune',
  tlp: 'tlp',
  'power-profiles-': 'power-profiles-daemon',
  kubelet: 'kubelet',
  'kube-proxy': 'kube-proxy',
  'cilium-agent': 'cilium',
  'calico-node': 'calico',
  flanneld: 'flannel',
  'antrea-agent': 'antrea',
  'kube-router': 'kube-router',
  'ovs-vswitchd': 'openvswitch',
  dockerd: 'docker',
  NetworkManager: 'NetworkManager',
  'systemd-network': 'systemd-networkd',
  google_guest_ag: 'google-guest-agent',
};

/** Who may write settings: each program once, by its lowest pid. */
export const settingOwners: FileProbe<SettingOwner[]> = {
  name: 'setting-owners',
  wants: {
    fileGlobs: ['/proc/[0-9]*/comm', ...TUNED_PROFILES.map((folder) => `${folder}/*/tuned.conf`)],
    files: [ACTIVE_PROFILE],
  },
  parse(found) {
    const owners = new Map<string, number>();
    for (const { match, text } of found.files(/^\/proc\/(\d+)\/comm$/)) {
      const name = PROGRAMS[text.trim()];
      const pid = Number(match[1]);
      if (name !== undefined) owners.set(name, Math.min(owners.get(name) ?? pid, pid));
    }
    return [...owners].map(([name, pid]) => ({ name, pid, ...detail(found, name) }));
  },
};

function detail(found: Found, name: string): Pick<SettingOwner, 'detail' | 'keys'> {
  const profile = name === 'tuned' ? found.line(ACTIVE_PROFILE) : undefined;
  if (!profile) return {};
  const keys = tunedKeys(found, profile);
  return { detail: profile, ...(keys.length > 0 ? { keys } : {}) };
}
