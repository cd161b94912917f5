#include "settings/ethtool_set.h"

#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "base/netns.h"
#include "probes/genetlink.h"
#include "probes/netlink.h"
#include "settings/answer.h"

namespace sockdoc {
namespace {

struct Field {
  std::string_view name;
  std::uint8_t command;
  std::uint16_t attribute;
  bool flag;
};

constexpr Field kFields[] = {
    {"rings.rx", ETHTOOL_MSG_RINGS_SET, ETHTOOL_A_RINGS_RX, false},
    {"rings.tx", ETHTOOL_MSG_RINGS_SET, ETHTOOL_A_RINGS_TX, false},
    {"channels.rx", ETHTOOL_MSG_CHANNELS_SET, ETHTOOL_A_CHANNELS_RX_COUNT, false},
    {"channels.tx", ETHTOOL_MSG_CHANNELS_SET, ETHTOOL_A_CHANNELS_TX_COUNT, false},
    {"channels.combined", ETHTOOL_MSG_CHANNELS_SET, ETHTOOL_A_CHANNELS_COMBINED_COUNT, false},
    {"coalescing.rxUsecs", ETHTOOL_MSG_COALESCE_SET, ETHTOOL_A_COALESCE_RX_USECS, false},
    {"coalescing.rxFrames", ETHTOOL_MSG_COALESCE_SET, ETHTOOL_A_COALESCE_RX_MAX_FRAMES, false},
    {"coalescing.txUsecs", ETHTOOL_MSG_COALESCE_SET, ETHTOOL_A_COALESCE_TX_USECS, false},
    {"coalescing.txFrames", ETHTOOL_MSG_COALESCE_SET, ETHTOOL_A_COALESCE_TX_MAX_FRAMES, false},
    {"coalescing.adaptiveRx", ETHTOOL_MSG_COALESCE_SET, ETHTOOL_A_COALESCE_USE_ADAPTIVE_RX, true},
    {"coalescing.adaptiveTx", ETHTOOL_MSG_COALESCE_SET, ETHTOOL_A_COALESCE_USE_ADAPTIVE_TX, true},
};

// ETHTOOL_A_*_HEADER is the first attribute of every message.
constexpr std::uint16_t kHeader = 1;
constexpr std::string_view kFeatures = "features.";

NetlinkRequest request_of(std::uint16_t family, std::uint8_t command, const std::string& link) {
  NetlinkRequest request = generic_request(family, command, ETHTOOL_GENL_VERSION, NLM_F_ACK);
  const std::size_t header = request.begin_nested(kHeader);
  request.attribute_text(ETHTOOL_A_HEADER_DEV_NAME, link);
  request.attribute<std::uint32_t>(ETHTOOL_A_HEADER_FLAGS, ETHTOOL_FLAG_OMIT_REPLY).end_nested(header);
  return request;
}

/** A feature by its name: the bits that are listed are the mask, those with a value are on. */
void add_feature(NetlinkRequest& request, std::string_view name, bool on) {
  const std::size_t wanted = request.begin_nested(ETHTOOL_A_FEATURES_WANTED);
  const std::size_t bits = request.begin_nested(ETHTOOL_A_BITSET_BITS);
  const std::size_t bit = request.begin_nested(ETHTOOL_A_BITSET_BITS_BIT);
  request.attribute_text(ETHTOOL_A_BITSET_BIT_NAME, name);
  if (on) request.attribute_bytes(ETHTOOL_A_BITSET_BIT_VALUE, {});
  request.end_nested(bit).end_nested(bits).end_nested(wanted);
}

Result<NetlinkRequest> message_for(std::uint16_t family, const EthtoolSetRequest& wanted) {
  const std::string_view name = wanted.field;
  if (name.starts_with(kFeatures)) {
    NetlinkRequest request = request_of(family, ETHTOOL_MSG_FEATURES_SET, wanted.link);
    add_feature(request, name.substr(kFeatures.size()), wanted.value != 0);
    return request;
  }
  const auto* field =
      std::find_if(std::begin(kFields), std::end(kFields), [&](const Field& f) { return f.name == name; });
  if (field == std::end(kFields)) return Error{ENOENT, "no such setting of ethtool: " + wanted.field};
  NetlinkRequest request = request_of(family, field->command, wanted.link);
  if (field->flag) {
    request.attribute<std::uint8_t>(field->attribute, wanted.value != 0 ? 1 : 0);
  } else {
    request.attribute<std::uint32_t>(field->attribute, wanted.value);
  }
  return request;
}

Status set_here(const EthtoolSetRequest& wanted) {
  auto socket = NetlinkSocket::open(NETLINK_GENERIC);
  if (!socket) return socket.error();
  const auto family = generic_family(*socket, ETHTOOL_GENL_NAME);
  if (!family) return family.error();
  auto request = message_for(*family, wanted);
  if (!request) return request.error();
  const auto answer = socket->request(*request, [](std::uint16_t, Bytes) {});
  if (!answer) return Error{answer.error().code, "ethtool " + wanted.link + " " + wanted.field};
  return Done{};
}

}  // namespace

std::string set_ethtool(const EthtoolSetRequest& request) {
  Status status = Done{};
  const Status entered = in_netns(request.netns, false, [&] { status = set_here(request); });
  return write_answer(entered ? status : entered);
}

}  // namespace sockdoc
