import { type Setting, settingOf } from '../../model/tune/keys.js';

/** A command for sh that sets it; undefined where there is none (a sysctl has its own way, a limit its process). */
export function shellCommand(key: string, value: string): string | undefined {
  const setting = settingOf(key);
  if (setting?.kind === 'sysfs') return `echo ${quoted(value)} > ${quoted(setting.path)}`;
  if (setting?.kind === 'ethtool') return `ethtool ${ethtoolWords(setting, value).map(quoted).join(' ')}`;
  return undefined;
}

const OPTIONS: Readonly<Record<string, string>> = { rings: '-G', channels: '-L', coalescing: '-C', features: '-K' };
const NAMES: Readonly<Record<string, string>> = {
  rxUsecs: 'rx-usecs',
  txUsecs: 'tx-usecs',
  rxFrames: 'rx-frames',
  txFrames: 'tx-frames',
  adaptiveRx: 'adaptive-rx',
  adaptiveTx: 'adaptive-tx',
};

/** The arguments of ethtool(8) that set it; the value is the last. */
export function ethtoolWords({ interface: link, field }: Extract<Setting, { kind: 'ethtool' }>, value: string) {
  const dot = field.indexOf('.');
  const [topic, name] = [field.slice(0, dot), field.slice(dot + 1)];
  return [OPTIONS[topic] ?? '', link, NAMES[name] ?? name, value];
}

/** For sh; plain words stay as they are. */
export const quoted = (word: string): string =>
  /^[\w./:,@+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
