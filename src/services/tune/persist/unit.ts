import { type Setting, settingOf } from '../../../model/tune/keys.js';
import { withLines } from './lines.js';

export const UNIT_FILE = '/etc/systemd/system/sockdoc-tune.service';
export const UNIT_LINK = '/etc/systemd/system/multi-user.target.wants/sockdoc-tune.service';
export const UNIT_TARGET = '../sockdoc-tune.service';

const HEAD = `# Settings that \`sockdoc tune --persist\` made and that are no sysctls, for the next start of this host.
# Take them back with \`sockdoc tune revert\`, which removes their lines here too.
[Unit]
Description=Settings of sockdoc tune
Documentation=man:sockdoc(1)
After=network.target
[Install]
WantedBy=multi-user.target
[Service]
Type=oneshot
RemainAfterExit=yes
`;

/** The text with these settings; null: there is no unit yet. A line that fails does not keep the others from being tried. */
export function withCommands(text: string | null, settings: readonly { key: string; value: string }[]): string {
  const lines = settings.flatMap(({ key, value }) => {
    const command = shellCommand(key, value);
    return command === undefined ? [] : [`ExecStart=-/bin/sh -c ${inUnit(command)}`];
  });
  // The value is the last word of a command for ethtool, and the first of one for a file.
  return withLines(text ?? HEAD, lines, (line) => {
    if (!line.startsWith('ExecStart=-/bin/sh -c ')) return undefined;
    return / > (.*)$/.exec(line)?.[1] ?? line.replace(/ [^ ]*$/, '');
  });
}

export const isEmptyUnit = (text: string): boolean => !/^ExecStart=/m.test(text);

/** A command for sh that sets it; undefined where there is none that lasts (the limit of a process that runs). */
export function shellCommand(key: string, value: string): string | undefined {
  const setting = settingOf(key);
  if (setting?.kind === 'sysfs') return `echo ${quoted(value)} > ${quoted(setting.path)}`;
  if (setting?.kind === 'ethtool') return ethtoolCommand(setting, value);
  return undefined;
}

const OPTIONS: Readonly<Record<string, string>> = { rings: '-G', channels: '-L', coalescing: '-C' };
const NAMES: Readonly<Record<string, string>> = {
  rxUsecs: 'rx-usecs',
  txUsecs: 'tx-usecs',
  rxFrames: 'rx-frames',
  txFrames: 'tx-frames',
  adaptiveRx: 'adaptive-rx',
  adaptiveTx: 'adaptive-tx',
};

function ethtoolCommand({ interface: link, field }: Extract<Setting, { kind: 'ethtool' }>, value: string): string {
  const dot = field.indexOf('.');
  const [topic, name] = [field.slice(0, dot), field.slice(dot + 1)];
  const option = topic === 'features' ? '-K' : OPTIONS[topic];
  return `ethtool ${option} ${quoted(link)} ${quoted(NAMES[name] ?? name)} ${quoted(value)}`;
}

/** For sh; plain words stay as they are. */
export const quoted = (word: string): string =>
  /^[\w./:,@+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** As one word of a unit file, in which % and $ and backslashes mean something. */
const inUnit = (command: string): string =>
  `"${command.replace(/[\\"]/g, '\\$&').replaceAll('%', '%%').replaceAll('$', '$$$$')}"`;
