#pragma once

#include <map>
#include <vector>

#include "base/gaps.h"
#include "probes/links/ethtool_facts.h"
#include "probes/links/link_messages.h"

namespace sockdoc {

/** Which of the kernel's two interfaces to use; `ioctl_only` is what kernels before 5.6 leave. */
enum class EthtoolWay { netlink_first, ioctl_only };

/**
 * Reads by index of the link. Netlink answers for all links in one dump per topic; SIOCETHTOOL, link by link, is asked
 * for what netlink does not have, or not in dumps (driver, its statistics, RSS, time stamping), for topics that this
 * kernel's netlink does not know, and for links that a dump cut short by one failing driver left out. A driver without
 * a topic leaves it absent; any other failure is a gap.
 */
std::map<int, EthtoolFacts> read_ethtool_facts(const std::vector<LinkRow>& links, EthtoolWay way, Gaps& gaps);
std::map<int, EthtoolCounters> read_ethtool_counters(const std::vector<LinkRow>& links, EthtoolWay way, Gaps& gaps);

}  // namespace sockdoc
