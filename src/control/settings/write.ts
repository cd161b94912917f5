import { settingOf } from '../../model/tune/keys.js';
import { setEthtool, setLimit, type WriteAnswer, writeSettingFile } from '../../probes/native.js';
import { placeOf } from './where.js';

/** Writes one setting; what went wrong is an errno name. Whether it holds is for the caller to read. */
export async function writeSetting(key: string, value: string, netns = ''): Promise<WriteAnswer> {
  const setting = settingOf(key);
  switch (setting?.kind) {
    case 'sysctl':
    case 'sysfs':
      return writeSettingFile({ ...placeOf(setting, netns), text: `${value}\n` });
    case 'ethtool': {
      const number = value === 'on' ? 1 : value === 'off' ? 0 : Number(value);
      if (!Number.isInteger(number) || number < 0 || number > 0xffff_ffff) return { errno: 'EINVAL' };
      return setEthtool({ netns, link: setting.interface, field: setting.field, value: number });
    }
    case 'limit': {
      const limits = /^(\d+|unlimited):(\d+|unlimited)$/.exec(value);
      if (!limits) return { errno: 'EINVAL' };
      return setLimit({
        pid: setting.pid,
        resource: setting.resource,
        soft: limits[1] as string,
        hard: limits[2] as string,
      });
    }
    default:
      return { errno: 'EINVAL' };
  }
}

/** Whether the file of a setting could be opened for writing, without writing; others are known only by trying. */
export async function mayWrite(key: string, netns = ''): Promise<WriteAnswer> {
  const setting = settingOf(key);
  if (setting?.kind !== 'sysctl' && setting?.kind !== 'sysfs') return {};
  return writeSettingFile(placeOf(setting, netns));
}
