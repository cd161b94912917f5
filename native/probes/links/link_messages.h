#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "probes/netlink.h"

namespace sockdoc {

/** What a port of a bond says about itself (IFLA_INFO_SLAVE_DATA). */
struct BondPort {
  std::optional<bool> link_up;
  std::optional<bool> active;
};

/** One RTM_NEWLINK message (linux/if_link.h). What the kernel did not send is absent. */
struct LinkRow {
  int index = 0;
  std::string name;
  std::string kind;
  std::uint16_t hardware_type = 0;  // ARPHRD_*
  std::uint32_t flags = 0;          // IFF_*
  std::uint8_t oper_state = 0;      // IF_OPER_*
  std::optional<bool> carrier;
  std::uint64_t mtu = 0;
  std::optional<std::uint64_t> max_mtu;
  std::optional<std::uint64_t> transmit_queue_length;
  std::optional<std::uint64_t> rx_queues;
  std::optional<std::uint64_t> tx_queues;
  std::optional<std::uint64_t> gso_max_bytes;
  int master = 0;
  int lower = 0;  // 0 also when it is in another namespace
  std::string mac_address;
  std::string qdisc;
  std::string xdp_attached;
  std::optional<std::uint64_t> bond_mode;
  std::optional<BondPort> bond_port;
  /** rtnl_link_stats64 by field name: as many as this kernel has. */
  std::vector<std::pair<const char*, std::uint64_t>> statistics;
};

/** `payload` is what follows the message header; nothing when it is too short to name a link. */
std::optional<LinkRow> parse_link(Bytes payload);

Result<std::vector<LinkRow>> dump_links(NetlinkSocket& route, NetlinkEnd& end);

/** "ether", "loopback", "infiniband", else the number. */
std::string link_type(std::uint16_t hardware_type);
const char* oper_state_name(std::uint8_t state);
std::string bond_mode_name(std::uint64_t mode);

}  // namespace sockdoc
