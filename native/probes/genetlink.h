#pragma once

#include <string_view>

#include "probes/netlink.h"

namespace sockdoc {

/** Number of a generic netlink family ("ethtool", "netdev"); ENOENT where this kernel does not have it. */
Result<std::uint16_t> generic_family(NetlinkSocket& generic, std::string_view name);

/** A request of a generic netlink family; attributes follow. */
NetlinkRequest generic_request(std::uint16_t family, std::uint8_t command, std::uint8_t version, std::uint16_t flags);

/** The attributes of a generic netlink message. */
Attributes generic_attributes(Bytes payload);

}  // namespace sockdoc
