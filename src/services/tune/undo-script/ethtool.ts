import type { Setting } from '../../../model/tune/keys.js';
import { quoted } from '../shell.js';

/** `ethtool -k` prints some features by the names that they had before the kernel named them. */
const LEGACY: Readonly<Record<string, string>> = {
  'rx-checksum': 'rx-checksumming',
  'tx-generic-segmentation': 'generic-segmentation-offload',
  'rx-gro': 'generic-receive-offload',
  'rx-lro': 'large-receive-offload',
  'rx-vlan-hw-parse': 'rx-vlan-offload',
  'tx-vlan-hw-insert': 'tx-vlan-offload',
  'rx-ntuple-filter': 'ntuple-filters',
  'rx-hashing': 'receive-hashing',
};

const TITLES: Readonly<Record<string, string>> = {
  rx: 'RX',
  tx: 'TX',
  combined: 'Combined',
  rxUsecs: 'rx-usecs',
  rxFrames: 'rx-frames',
  txUsecs: 'tx-usecs',
  txFrames: 'tx-frames',
};

/** A command for sh that prints one setting of ethtool as the journal has it: a number, "on" or "off". */
export function readCommand({ interface: link, field }: Extract<Setting, { kind: 'ethtool' }>): string {
  const dot = field.indexOf('.');
  const [topic, name] = [field.slice(0, dot), field.slice(dot + 1)];
  const ethtool = (option: string) => `ethtool ${option} ${quoted(link)} 2>/dev/null`;
  if (topic === 'features')
    return `${ethtool('-k')} | sed -n 's/^[[:space:]]*${LEGACY[name] ?? name}: \\([a-z]*\\).*/\\1/p'`;
  if (name.startsWith('adaptive')) {
    const which = name === 'adaptiveRx' ? '\\1' : '\\2';
    return `${ethtool('-c')} | sed -n 's/^Adaptive RX: *\\([a-z]*\\) *TX: *\\([a-z]*\\).*/${which}/p'`;
  }
  if (topic === 'coalescing') return `${ethtool('-c')} | sed -n 's/^${TITLES[name]}:[[:space:]]*\\([0-9]*\\).*/\\1/p'`;
  // The first half of these is what the hardware could.
  const option = topic === 'rings' ? '-g' : '-l';
  return `${ethtool(option)} | sed -n '/^Current/,$s/^${TITLES[name]}:[[:space:]]*\\([0-9]*\\).*/\\1/p'`;
}
