#pragma once

#include <cstdint>
#include <vector>

#include "probes/sockets/listeners.h"

namespace sockdoc {

/** ip_local_port_range. */
struct PortRange {
  std::uint16_t first = 32768;
  std::uint16_t last = 60999;
};

/** Local ports of the range in use from one address to one destination. */
struct PortUseRow {
  std::uint8_t family = 0;
  Address source{};
  Address destination{};
  std::uint16_t destination_port = 0;
  std::uint32_t in_use = 0;
  std::uint32_t time_wait = 0;
  std::uint32_t process = DescriptorTable::kNone;  // that holds most of them
};

/** The `limit` largest, most first. Connections that came in by a listener do not count: they took no port. */
std::vector<PortUseRow> port_use(const std::vector<ConnectionLink>& links, const ListenerIndex& listeners,
                                 const DescriptorTable& descriptors, PortRange range, std::size_t limit);

}  // namespace sockdoc
