#pragma once

#include <bitset>
#include <cstdint>
#include <memory>

#include "base/result.h"
#include "probes/netlink.h"

namespace sockdoc {

using PortSet = std::bitset<65536>;

/** Ports that a TCP listener has, over IPv4 or IPv6, in the namespace of `socket` (NETLINK_SOCK_DIAG). */
Result<std::unique_ptr<PortSet>> listening_ports(NetlinkSocket& socket);

}  // namespace sockdoc
