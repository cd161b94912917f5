#pragma once

#include <map>
#include <vector>

#include "base/result.h"
#include "probes/links/ethtool_facts.h"
#include "probes/netlink.h"

namespace sockdoc {

/** What one queue counted since its driver began; what the driver does not count is absent. */
struct QueueCounters {
  bool transmit = false;
  std::uint32_t index = 0;
  MaybeNumber packets, bytes, drops;
};

/** By index of the link. */
using QueueStatistics = std::map<int, std::vector<QueueCounters>>;

/**
 * From the netdev family (NETDEV_CMD_QSTATS_GET, Linux 6.10, Documentation/netlink/specs/netdev.yaml): the same for all
 * drivers that have it. Empty on older kernels.
 */
QueueStatistics read_queue_statistics();

/** One message of the dump by queues. */
void parse_queue_statistics(const Attributes& message, QueueStatistics& statistics);

}  // namespace sockdoc
