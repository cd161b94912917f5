#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "probes/netlink.h"

namespace sockdoc {

/** One queueing discipline with its statistics (struct tcmsg, TCA_STATS2 of linux/gen_stats.h). */
struct QdiscRow {
  int link = 0;
  std::string kind;
  std::string handle;  // "8001:"
  std::string parent;  // "root", "ingress", "1:1", ":1" below a discipline without a handle
  std::uint64_t bytes = 0;
  std::uint64_t packets = 0;
  std::uint64_t drops = 0;
  std::uint64_t overlimits = 0;
  std::uint64_t requeues = 0;
  std::uint64_t backlog_bytes = 0;
  std::uint64_t backlog_packets = 0;
};

/** Nothing for a message without statistics. */
std::optional<QdiscRow> parse_qdisc(Bytes payload);

Result<std::vector<QdiscRow>> dump_qdiscs(NetlinkSocket& route, NetlinkEnd& end);

}  // namespace sockdoc
