#pragma once

#include <cstdint>

#include "probes/sockets/socket_address.h"

namespace sockdoc {

/** The same for both ends of a connection. */
std::uint64_t hash_of_pair(const Address& local, std::uint16_t local_port, const Address& remote,
                           std::uint16_t remote_port);

/** Whether the addresses and ports of `a` are those of `b` the other way round. */
template <typename A, typename B>
bool swapped(const A& a, const B& b) {
  return a.local_port == b.remote_port && a.remote_port == b.local_port && a.local == b.remote && a.remote == b.local;
}

}  // namespace sockdoc
