#pragma once

#include <string>

namespace sockdoc {

struct LinksRequest {
  /** Network namespace to enter, empty for our own. */
  std::string netns;
  /** Only what moves: `counters` and `gaps`. */
  bool counters_only = false;
  /** Of the counters only those of rtnetlink: cheap, also on cards with thousands of statistics. */
  bool standard_only = false;
  /** Do without ethtool's netlink family, as on kernels before 5.6. */
  bool ethtool_ioctl_only = false;
};

/**
 * The links of one network namespace by rtnetlink, ethtool and the netdev family. Writes
 * {"links":[…],"addresses":[…],"routes":[…],"counters":[…],"gaps":[…]} in the shapes of src/model/snapshot/links.ts,
 * without what only sysfs knows (queues' CPU masks, NUMA node, PCI Express, interrupts, NAPI settings). Needs no
 * privilege in our own namespace, CAP_SYS_ADMIN to enter another.
 */
std::string read_links(const LinksRequest& request);

}  // namespace sockdoc
