import { settingOf } from '../../../model/tune/keys.js';
import { sysctlPath } from '../../../probes/sysctl-names.js';
import { ethtoolWords } from '../shell.js';
import { type Kept, withLines } from './lines.js';

/** After 80-net-setup-link.rules, which names interfaces. */
export const RULE_FILE = '/etc/udev/rules.d/99-zz-sockdoc.rules';

const HEAD = `# Settings of interfaces that \`sockdoc tune --persist\` made: udev sets them at the start of the host, and whenever
# such an interface appears. Take them back with \`sockdoc tune revert\`, which removes their lines here too.
SUBSYSTEM=="net", ACTION=="add|move", ENV{.SOCKDOC_LINK}="$name"
`;

/** Programs that rules start, by their whole paths, as udev wants them. Undefined: not installed. */
export interface Programs {
  ethtool?: string | undefined;
  systemdSysctl?: string | undefined;
}

/**
 * The line that sets something whenever what it belongs to appears: an interface, or the module that brings a sysctl,
 * which is not there yet when the files of sysctl.d are applied. Undefined for what needs none, or has none here.
 */
export function ruleLine({ key, value }: Kept, { ethtool, systemdSysctl }: Programs): string | undefined {
  const setting = settingOf(key);
  if (setting?.kind === 'sysctl')
    return systemdSysctl && sysctlLine(key, `${systemdSysctl} --prefix=${sysctlPath(key).slice('/proc/sys'.length)}`);
  if (setting?.kind === 'ethtool' && ethtool)
    return onLink(setting.interface, [ethtool, ...ethtoolWords(setting, value)].join(' '));
  const link = setting?.kind === 'sysfs' ? /^\/sys\/class\/net\/([^/]+)\//.exec(setting.path)?.[1] : undefined;
  return link === undefined ? undefined : onLink(link, `/bin/sh -c 'echo ${value} > ${key}'`);
}

/** systemd's own rule does this for an interface that is added, not for one that gets the name later. */
function sysctlLine(key: string, command: string): string | undefined {
  const link = /^net\.ipv[46]\.(?:conf|neigh)\.(?!all\.|default\.)([^.]+)\./.exec(key)?.[1];
  if (link !== undefined) return onLink(link.replaceAll('/', '.'), command);
  return key.startsWith('net.netfilter.nf_conntrack_')
    ? `SUBSYSTEM=="module", ACTION=="add", KERNEL=="nf_conntrack", RUN+="${command}"`
    : undefined;
}

const onLink = (link: string, command: string) => `ENV{.SOCKDOC_LINK}=="${link}", RUN+="${command}"`;

/** Whether nothing in a name or a value means something to udev or to sh. */
export const isPlain = ({ key, value }: Kept): boolean => /^[\w./:,@+-]+$/.test(key) && /^[\w,-]+$/.test(value);

/** The text with these settings; null: there is no file yet. */
export function withRules(text: string | null, settings: readonly Kept[], programs: Programs): string {
  const lines = settings.flatMap((one) => ruleLine(one, programs) ?? []);
  return channelsFirst(withLines(text ?? HEAD, lines, subjectOf));
}

/** More channels bring queues of their own, which other lines may set. */
function channelsFirst(text: string): string {
  const lines = text.split('\n');
  const first = lines.findIndex((line) => line.includes(' RUN+='));
  const isChannels = (line: string) => line.includes('/ethtool -L ');
  const rest = lines.slice(first);
  return [...lines.slice(0, first), ...rest.filter(isChannels), ...rest.filter((line) => !isChannels(line))].join('\n');
}

/** A line without its value: which comes last for ethtool, and before the file for sh. */
function subjectOf(line: string): string | undefined {
  const command = /RUN\+="(.*)"$/.exec(line)?.[1];
  if (command === undefined || command.includes(' --prefix=')) return command;
  return / > (.*)'$/.exec(command)?.[1] ?? command.replace(/ [^ ]*$/, '');
}

export const isEmptyRule = (text: string): boolean => !text.includes('RUN+=');
