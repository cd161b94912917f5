#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "probes/netlink.h"

namespace sockdoc {

/** One RTM_NEWADDR message (linux/if_addr.h). */
struct AddressRow {
  int link = 0;
  bool ipv6 = false;
  std::string address;
  unsigned prefix_length = 0;
  std::uint8_t scope = 0;  // RT_SCOPE_*
};

std::optional<AddressRow> parse_address(Bytes payload);

Result<std::vector<AddressRow>> dump_addresses(NetlinkSocket& route, NetlinkEnd& end);

std::string scope_name(std::uint8_t scope);

/** 4 bytes as IPv4, 16 as IPv6 address; empty for any other length. */
std::string address_text(Bytes bytes);

}  // namespace sockdoc
