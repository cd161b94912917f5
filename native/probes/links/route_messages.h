#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "probes/netlink.h"

namespace sockdoc {

/** One unicast route of the main table (linux/rtnetlink.h). */
struct RouteRow {
  bool ipv6 = false;
  std::string destination;
  std::string gateway;
  int link = 0;
  std::string source;
  std::optional<std::uint64_t> metric;
  std::optional<std::uint64_t> next_hops;
  std::string congestion_control;
  std::optional<std::uint64_t> initial_cwnd;
};

/** Nothing for what is not a unicast route of the main table. */
std::optional<RouteRow> parse_route(Bytes payload);

struct Routes {
  std::vector<RouteRow> rows;
  /** There are more: the dump was given up at the limit, since a router may hold a million. */
  bool truncated = false;
};

/** Opens sockets of its own, because one that gave up a dump cannot begin another. */
Result<Routes> dump_routes(std::size_t limit, NetlinkEnd& end);

}  // namespace sockdoc
