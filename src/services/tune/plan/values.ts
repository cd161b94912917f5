import { limitText } from '../../../checks/host/descriptors.js';
import type { Link, Process } from '../../../model/snapshot/index.js';
import { type Setting, settingOf } from '../../../model/tune/keys.js';
import type { PlanView } from './candidates.js';

/** The value of a key at the reading, as it is written; undefined where the snapshot does not have it. */
export function valueNow(view: PlanView, key: string): string | undefined {
  const setting = settingOf(key);
  switch (setting?.kind) {
    case 'sysctl':
      return (
        view.net.sysctl(key) ??
        view.snapshot.netns.find(({ initial }) => initial)?.sysctls[key] ??
        view.host.facts.sysctls[key]
      );
    case 'ethtool':
      return ethtoolValue(view.net.facts.links, setting);
    case 'limit':
      return limitOf(view.host.process(setting.pid), setting.resource);
    default:
      return undefined;
  }
}

function ethtoolValue(links: readonly Link[], setting: Setting & { kind: 'ethtool' }): string | undefined {
  const link = links.find(({ name }) => name === setting.interface);
  const [group = '', ...rest] = setting.field.split('.');
  const field = rest.join('.');
  const groups = link as unknown as Record<string, Record<string, unknown> | undefined> | undefined;
  const value = groups?.[group]?.[field];
  const plain = typeof value === 'object' && value !== null && 'on' in value ? value.on : value;
  if (typeof plain === 'boolean') return plain ? 'on' : 'off';
  return typeof plain === 'number' ? String(plain) : undefined;
}

function limitOf(process: Process | undefined, resource: string): string | undefined {
  const use = resource === 'nofile' ? process?.descriptors : undefined;
  return use && limitText(use.softLimit, use.hardLimit);
}
