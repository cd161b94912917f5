import type { RdmaDevice, RdmaGid, RdmaPort, RdmaPortCounters } from '../../model/snapshot/index.js';
import type { FilesAnswer } from '../native.js';

/** Documentation/ABI/stable/sysfs-class-infiniband */
const CLASS = '/sys/class/infiniband';
const NO_GID = /^[0:]+$/;

type Read = Pick<FilesAnswer, 'files' | 'links'>;

export const counterGlobs = [`${CLASS}/*/ports/*/counters/*`, `${CLASS}/*/ports/*/hw_counters/*`] as const;

export const deviceGlobs = {
  fileGlobs: [
    ...['node_type', 'node_desc', 'fw_ver', 'node_guid', 'device/numa_node'].map((name) => `${CLASS}/*/${name}`),
    ...['state', 'phys_state', 'link_layer', 'rate', 'gids/*'].map((name) => `${CLASS}/*/ports/*/${name}`),
    ...counterGlobs,
  ],
  linkGlobs: [`${CLASS}/*/device/driver`],
};

/** What is to be read for the GIDs that are in use: most tables are long and nearly empty. */
export function gidFiles({ files }: Pick<Read, 'files'>): string[] {
  return Object.entries(files).flatMap(([file, text]) => {
    const found = /^(.*\/ports\/\d+)\/gids\/(\d+)$/.exec(file);
    if (!found || NO_GID.test(text.trim())) return [];
    return [`${found[1]}/gid_attrs/types/${found[2]}`, `${found[1]}/gid_attrs/ndevs/${found[2]}`];
  });
}

export function devicesOf(read: Read): RdmaDevice[] {
  return namesBelow(read, `${CLASS}/`)
    .sort()
    .map((name) => deviceOf(read, name));
}

export function portCountersOf({ files }: Pick<Read, 'files'>): RdmaPortCounters[] {
  const rows = new Map<string, RdmaPortCounters>();
  for (const [file, text] of Object.entries(files)) {
    const found = /^\/sys\/class\/infiniband\/([^/]+)\/ports\/(\d+)\/(?:hw_)?counters\/([^/]+)$/.exec(file);
    const value = text.trim();
    // "lifespan" is a setting, "N/A (no PMA)" a device that does not count.
    if (!found || found[3] === 'lifespan' || !/^\d+$/.test(value)) continue;
    const [, device = '', port = '', counter = ''] = found;
    const key = `${device} ${port}`;
    const row = rows.get(key) ?? { device, port: Number(port), counters: {} };
    row.counters[counter] = Number(value);
    rows.set(key, row);
  }
  return [...rows.values()].sort((a, b) => a.device.localeCompare(b.device) || a.port - b.port);
}

function deviceOf(read: Read, name: string): RdmaDevice {
  const text = (file: string) => read.files[`${CLASS}/${name}/${file}`]?.trim() || undefined;
  const numaNode = Number(text('device/numa_node') ?? -1);
  const driver = read.links[`${CLASS}/${name}/device/driver`]?.split('/').at(-1) ?? softwareDriver(text('node_desc'));
  return {
    name,
    ...optional('nodeType', label(text('node_type'))),
    ...optional('driver', driver),
    ...optional('firmware', text('fw_ver')),
    ...optional('nodeGuid', text('node_guid')),
    ...(numaNode >= 0 ? { numaNode } : {}),
    ports: namesBelow(read, `${CLASS}/${name}/ports/`)
      .map(Number)
      .sort((a, b) => a - b)
      .map((port) => portOf(read, name, port)),
  };
}

/** Without a device below them; udev may have changed the description since. */
function softwareDriver(description: string | undefined): string | undefined {
  if (description === 'rxe') return 'rxe';
  return description === 'Software iWARP stack' ? 'siw' : undefined;
}

function portOf(read: Read, device: string, port: number): RdmaPort {
  const folder = `${CLASS}/${device}/ports/${port}`;
  const text = (file: string) => read.files[`${folder}/${file}`]?.trim() || undefined;
  const gids = gidsOf(read, folder);
  const rate = text('rate');
  const rateGbps = Number.parseFloat(rate ?? '');
  const counters = portCountersOf(read).find((row) => row.device === device && row.port === port)?.counters ?? {};
  return {
    port,
    state: label(text('state')) ?? 'unknown',
    ...optional('physicalState', label(text('phys_state'))),
    ...optional('linkLayer', text('link_layer')),
    ...optional('rate', rate),
    ...(Number.isFinite(rateGbps) ? { rateGbps } : {}),
    ...optional('interface', gids.find((gid) => gid.interface !== undefined)?.interface),
    gids,
    counters,
  };
}

function gidsOf({ files }: Read, folder: string): RdmaGid[] {
  return namesBelow({ files }, `${folder}/gids/`)
    .map(Number)
    .sort((a, b) => a - b)
    .flatMap((index): RdmaGid[] => {
      const gid = files[`${folder}/gids/${index}`]?.trim() ?? '';
      if (gid === '' || NO_GID.test(gid)) return [];
      return [
        {
          index,
          gid,
          ...optional('type', files[`${folder}/gid_attrs/types/${index}`]?.trim() || undefined),
          ...optional('interface', files[`${folder}/gid_attrs/ndevs/${index}`]?.trim() || undefined),
        },
      ];
    });
}

/** "4: ACTIVE" → "ACTIVE" */
function label(text: string | undefined): string | undefined {
  return text?.replace(/^\d+:\s*/, '');
}

function namesBelow({ files }: Pick<Read, 'files'>, prefix: string): string[] {
  const names = Object.keys(files)
    .filter((file) => file.startsWith(prefix))
    .map((file) => file.slice(prefix.length).split('/')[0] ?? '');
  return [...new Set(names)];
}

function optional<K extends string, T>(key: K, value: T | undefined): { [k in K]?: T } {
  return value === undefined ? {} : ({ [key]: value } as { [k in K]?: T });
}
