#include "probes/links/link_messages.h"

#include <linux/if_arp.h>
#include <linux/if_bonding.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <array>
#include <iterator>

namespace sockdoc {
namespace {

// In the order of struct rtnl_link_stats64, which only ever grows at its end.
constexpr const char* kStatistics[] = {
    "rx_packets",       "tx_packets",        "rx_bytes",          "tx_bytes",        "rx_errors",
    "tx_errors",        "rx_dropped",        "tx_dropped",        "multicast",       "collisions",
    "rx_length_errors", "rx_over_errors",    "rx_crc_errors",     "rx_frame_errors", "rx_fifo_errors",
    "rx_missed_errors", "tx_aborted_errors", "tx_carrier_errors", "tx_fifo_errors",  "tx_heartbeat_errors",
    "tx_window_errors", "rx_compressed",     "tx_compressed",     "rx_nohandler",    "rx_otherhost_dropped",
};

void parse_statistics(Bytes payload, LinkRow& link) {
  for (const char* name : kStatistics) {
    const auto value = read_as<std::uint64_t>(payload);
    if (!value) return;
    link.statistics.emplace_back(name, *value);
    payload = payload.subspan(sizeof *value);
  }
}

std::string hardware_address(Bytes payload) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : payload) {
    if (!text.empty()) text += ':';
    text += kHex[std::to_integer<unsigned>(byte) >> 4];
    text += kHex[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

const char* xdp_mode(std::uint64_t attached) {
  switch (attached) {
    case XDP_ATTACHED_DRV:
      return "native";
    case XDP_ATTACHED_SKB:
      return "generic";
    case XDP_ATTACHED_HW:
      return "offloaded";
    case XDP_ATTACHED_MULTI:
      return "multi";
    default:
      return "";
  }
}

BondPort parse_bond_port(Bytes payload) {
  BondPort port;
  for (const Attribute& attribute : Attributes(payload)) {
    if (attribute.type == IFLA_BOND_SLAVE_STATE) port.active = attribute.number() == BOND_STATE_ACTIVE;
    if (attribute.type == IFLA_BOND_SLAVE_MII_STATUS) port.link_up = attribute.number() == BOND_LINK_UP;
  }
  return port;
}

void parse_link_info(Bytes payload, LinkRow& link) {
  const Attributes info(payload);
  if (const auto kind = info.find(IFLA_INFO_KIND)) link.kind = kind->text();
  const auto data = info.find(IFLA_INFO_DATA);
  if (data && link.kind == "bond") {
    if (const auto mode = Attributes(data->payload).find(IFLA_BOND_MODE)) link.bond_mode = mode->number();
  }
  const auto port_kind = info.find(IFLA_INFO_SLAVE_KIND);
  const auto port_data = info.find(IFLA_INFO_SLAVE_DATA);
  if (port_kind && port_data && port_kind->text() == "bond") link.bond_port = parse_bond_port(port_data->payload);
}

void parse_attribute(const Attribute& attribute, LinkRow& link) {
  switch (attribute.type) {
    case IFLA_IFNAME:
      link.name = attribute.text();
      break;
    case IFLA_MTU:
      link.mtu = attribute.number();
      break;
    case IFLA_MAX_MTU:
      // 0 stands for a device that knows no maximum.
      if (attribute.number() != 0) link.max_mtu = attribute.number();
      break;
    case IFLA_TXQLEN:
      link.transmit_queue_length = attribute.number();
      break;
    case IFLA_NUM_RX_QUEUES:
      link.rx_queues = attribute.number();
      break;
    case IFLA_NUM_TX_QUEUES:
      link.tx_queues = attribute.number();
      break;
    case IFLA_GSO_MAX_SIZE:
      link.gso_max_bytes = attribute.number();
      break;
    case IFLA_OPERSTATE:
      link.oper_state = static_cast<std::uint8_t>(attribute.number());
      break;
    case IFLA_CARRIER:
      link.carrier = attribute.number() != 0;
      break;
    case IFLA_MASTER:
      link.master = static_cast<int>(attribute.number());
      break;
    case IFLA_LINK:
      link.lower = static_cast<int>(attribute.number());
      break;
    case IFLA_ADDRESS:
      link.mac_address = hardware_address(attribute.payload);
      break;
    case IFLA_QDISC:
      link.qdisc = attribute.text();
      break;
    case IFLA_STATS64:
      parse_statistics(attribute.payload, link);
      break;
    case IFLA_LINKINFO:
      parse_link_info(attribute.payload, link);
      break;
    case IFLA_XDP:
      if (const auto mode = Attributes(attribute.payload).find(IFLA_XDP_ATTACHED)) {
        link.xdp_attached = xdp_mode(mode->number());
      }
      break;
    default:
      break;
  }
}

}  // namespace

std::optional<LinkRow> parse_link(Bytes payload) {
  const auto fixed = read_as<ifinfomsg>(payload);
  if (!fixed) return std::nullopt;
  LinkRow link;
  link.index = fixed->ifi_index;
  link.hardware_type = fixed->ifi_type;
  link.flags = fixed->ifi_flags;
  const Attributes attributes(after(payload, sizeof(ifinfomsg)));
  for (const Attribute& attribute : attributes) parse_attribute(attribute, link);
  if (link.name.empty()) return std::nullopt;
  // An index of another namespace means nothing here, and the other end of a veth pair is not below it.
  if (attributes.find(IFLA_LINK_NETNSID) || link.kind == "veth" || link.lower == link.index) link.lower = 0;
  // The carrier of a link that is down is what was seen last, as sysfs knows, which refuses to show it.
  if ((link.flags & IFF_UP) == 0) link.carrier.reset();
  return link;
}

Result<std::vector<LinkRow>> dump_links(NetlinkSocket& route, NetlinkEnd& end) {
  std::vector<LinkRow> links;
  NetlinkRequest request(RTM_GETLINK, NLM_F_DUMP);
  request.append(ifinfomsg{});
  const auto answer = route.request(request, [&](std::uint16_t type, Bytes payload) {
    if (type != RTM_NEWLINK) return;
    if (auto link = parse_link(payload)) links.push_back(std::move(*link));
  });
  if (!answer) return answer.error();
  end.interrupted |= answer->interrupted;
  return links;
}

std::string link_type(std::uint16_t hardware_type) {
  switch (hardware_type) {
    case ARPHRD_ETHER:
      return "ether";
    case ARPHRD_LOOPBACK:
      return "loopback";
    case ARPHRD_INFINIBAND:
      return "infiniband";
    default:
      return std::to_string(hardware_type);
  }
}

const char* oper_state_name(std::uint8_t state) {
  static constexpr const char* kNames[] = {"unknown", "not-present", "down", "lower-layer-down",
                                           "testing", "dormant",     "up"};
  return state < std::size(kNames) ? kNames[state] : "unknown";
}

std::string bond_mode_name(std::uint64_t mode) {
  static constexpr const char* kNames[] = {"balance-rr", "active-backup", "balance-xor", "broadcast",
                                           "802.3ad",    "balance-tlb",   "balance-alb"};
  return mode < std::size(kNames) ? kNames[mode] : std::to_string(mode);
}

}  // namespace sockdoc
