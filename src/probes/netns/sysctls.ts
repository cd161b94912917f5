import type { FileProbe } from '../files.js';
import { sysctlName, sysctlValue } from '../sysctl-names.js';

/** Keys that hold secrets, or whole tables that no check looks at. */
const LEFT_OUT =
  /(^net\.ipv4\.tcp_fastopen_key$|\.stable_secret$|^net\.core\.netdev_rss_key$|^net\.ipv6\.route\.flush$|^net\.ipv4\.route\.flush$)/;

/**
 * What is read of each interface; of "all" and "default" everything is. A host with thousands of veth pairs has some
 * hundred files for each, and most of them are copies of "default".
 */
const PER_INTERFACE = {
  ipv4: ['rp_filter', 'forwarding', 'accept_local', 'arp_filter', 'arp_ignore', 'arp_announce', 'log_martians'],
  ipv6: ['disable_ipv6', 'accept_ra', 'forwarding', 'accept_redirects', 'mtu'],
} as const;

const trees = ['ipv4', 'ipv6'].flatMap((family) =>
  ['conf/all', 'conf/default', 'neigh/default'].map((folder) => `/proc/sys/net/${family}/${folder}`),
);

/** All of net.* that this namespace shows, but of conf/INTERFACE only PER_INTERFACE, of neigh/INTERFACE nothing. */
export const netSysctls: FileProbe<Record<string, string>> = {
  name: 'sysctls',
  wants: {
    trees: ['/proc/sys/net', ...trees],
    skip: ['conf', 'neigh'],
    fileGlobs: Object.entries(PER_INTERFACE).flatMap(([family, keys]) =>
      keys.map((key) => `/proc/sys/net/${family}/conf/*/${key}`),
    ),
  },
  parse(found) {
    const values: Record<string, string> = {};
    for (const { match, text } of found.files(/^\/proc\/sys\/net\/.*/)) {
      const name = sysctlName(match[0]);
      if (!LEFT_OUT.test(name)) values[name] = sysctlValue(text);
    }
    if (Object.keys(values).length === 0) found.missing('/proc/sys/net');
    return values;
  },
};

/** The kernel registers this key for the initial namespace alone, so it tells namespaces apart without privileges. */
export const INITIAL_ONLY = 'net.core.netdev_max_backlog';
