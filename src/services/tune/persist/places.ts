import { existsSync } from 'node:fs';
import { type Setting, settingOf } from '../../../model/tune/keys.js';
import type { Kept } from './lines.js';
import { isEmptyRule, isPlain, type Programs, RULE_FILE, ruleLine, withRules } from './rule.js';
import { isEmptySysctlFile, SYSCTL_FILE, withSettings } from './sysctl-file.js';
import { isEmptyUnit, UNIT_FILE, withCommands } from './unit.js';

/** A file of ours that something reads at the start of the host. */
export interface OwnFile {
  file: string;
  takes(setting: Kept): boolean;
  /** Its text with these settings; null: there is no such file yet. */
  with(text: string | null, settings: readonly Kept[]): string;
  /** Whether it holds no setting any more. */
  isEmpty(text: string): boolean;
  /** What a person should know who counts on it. */
  note?: string | undefined;
}

const firstOf = (paths: readonly string[]) => paths.find((path) => existsSync(path));

const programs = (): Programs => ({
  ethtool: firstOf(['/usr/sbin/ethtool', '/sbin/ethtool', '/usr/bin/ethtool']),
  systemdSysctl: firstOf(['/usr/lib/systemd/systemd-sysctl', '/lib/systemd/systemd-sysctl']),
});

const SYSTEMD = '/run/systemd/system';

const unlessRunning = (folder: string, program: string): string | undefined =>
  existsSync(folder) ? undefined : `${program} does not run here now: it is what reads this file`;

/** In a container, as a rule, nobody does. */
const unlessApplied = (): string | undefined =>
  firstOf([SYSTEMD, '/etc/init.d/procps', '/etc/init.d/sysctl']) === undefined
    ? 'neither systemd nor a start script for sysctls is here: nothing reads this file'
    : undefined;

export const FILES: readonly OwnFile[] = [
  {
    file: SYSCTL_FILE,
    takes: ({ key }) => settingOf(key)?.kind === 'sysctl',
    with: withSettings,
    isEmpty: isEmptySysctlFile,
    get note() {
      return unlessApplied();
    },
  },
  {
    file: RULE_FILE,
    takes: (setting) => isPlain(setting) && ruleLine(setting, programs()) !== undefined,
    with: (text, settings) => withRules(text, settings, programs()),
    isEmpty: isEmptyRule,
    get note() {
      return unlessRunning('/run/udev', 'udev');
    },
  },
  {
    file: UNIT_FILE,
    takes: ({ key }) => isOfHost(settingOf(key)),
    with: withCommands,
    isEmpty: isEmptyUnit,
    get note() {
      return unlessRunning(SYSTEMD, 'systemd');
    },
  },
];

/** A file of sysfs that has the same name after every start, and belongs to no interface. */
const isOfHost = (setting: Setting | undefined): boolean =>
  setting?.kind === 'sysfs' && !/^\/(proc\/irq|sys\/class\/net)\//.test(setting.path);

/** Why a setting that no file takes cannot last. */
export function whyNot({ key, value }: Kept): string {
  const setting = settingOf(key);
  if (setting?.kind === 'limit') return 'it ends with the process: LimitNOFILE= of its unit is for the next start';
  if (setting?.kind === 'sysfs' && setting.path.startsWith('/proc/irq/'))
    return 'interrupts get other numbers at each start of the host';
  return isPlain({ key, value })
    ? 'ethtool(8), which would set it, is not installed'
    : 'its name cannot be written into a rule of udev';
}
