#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "probes/descriptors/socket_facts.h"

namespace sockdoc {

/**
 * The kernel's name for the protocol of a socket ("TCPv6", "NETLINK", "UNIX-STREAM"), also of one that sock_diag does
 * not show (before bind() and connect(), in a namespace that may not be entered). Empty when it is closed or denied.
 */
std::string socket_protocol(int pid, int fd);

/** The same from what sock_diag said, without asking again; empty for a UNIX socket, of which there are two kinds. */
std::string protocol_of(const SocketFact& fact);

/**
 * The state of a TCP socket that no dump showed, asked from the socket itself through a duplicate of the descriptor
 * (docs/decisions/0005): a dump may miss a connection while others come and go, so its silence proves nothing. nullopt
 * where the descriptor may not be duplicated, or is another socket by now.
 */
std::optional<std::uint8_t> tcp_state_of(int pid, int fd, std::uint64_t inode);

/** "tcp", "udp", "unix" */
std::string_view kind_of(const SocketFact& fact);

}  // namespace sockdoc
