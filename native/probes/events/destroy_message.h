#pragma once

#include <cstdint>
#include <optional>

#include "probes/netlink.h"

namespace sockdoc {

/** A TCP socket that had been connected and is gone. The kernel gives neither inode nor uid with it. */
struct EndedSocket {
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::uint16_t local_port = 0;
  std::uint16_t remote_port = 0;  // 0 after a close with SO_LINGER 0, which wipes it and the bytes
};

/**
 * One message of the groups SKNLGRP_INET_TCP_DESTROY and SKNLGRP_INET6_TCP_DESTROY. Nothing for what is too short, and
 * for sockets that never were connected: listeners, attempts that failed, sockets that were only made or bound.
 */
std::optional<EndedSocket> parse_ended_socket(Bytes message);

}  // namespace sockdoc
