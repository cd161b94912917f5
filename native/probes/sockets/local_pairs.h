#pragma once

#include <cstdint>
#include <vector>

#include "probes/sockets/netns_sockets.h"

namespace sockdoc {

/** Two processes of this host that talk over TCP. */
struct LocalPairRow {
  std::uint32_t client = 0;  // index in the ProcessTable
  std::uint32_t server = 0;
  std::uint16_t server_port = 0;
  std::uint64_t connections = 0;
  std::uint64_t bytes = 0;
  std::uint64_t segments = 0;
  bool windowed = false;
};

/**
 * For each namespace, the `limit` busiest pairs whose client is in it. The two ends of a connection are sockets whose
 * addresses are each other's swapped: in one namespace, or, away from loopback, in two where that is unambiguous. The
 * server is the end that a listener of its namespace accepted, else the one with the lower port.
 */
std::vector<std::vector<LocalPairRow>> local_pairs(std::vector<NetnsSockets>& namespaces,
                                                   const DescriptorTable& descriptors, std::size_t limit);

}  // namespace sockdoc
