#include "probes/links/xdp_features.h"

#include <iterator>

#include "probes/genetlink.h"

namespace sockdoc {
namespace {

// linux/netdev.h is newer than the headers that this is built against.
constexpr std::uint8_t kDevGet = 1;        // NETDEV_CMD_DEV_GET
constexpr std::uint16_t kIndex = 1;        // NETDEV_A_DEV_IFINDEX
constexpr std::uint16_t kXdpFeatures = 3;  // NETDEV_A_DEV_XDP_FEATURES, a mask of NETDEV_XDP_ACT_*
constexpr const char* kNames[] = {"basic",      "redirect", "ndo-xmit",   "xsk-zerocopy",
                                  "hw-offload", "rx-sg",    "ndo-xmit-sg"};

}  // namespace

void parse_xdp_features(const Attributes& message, XdpFeatures& features) {
  const auto index = message.find(kIndex);
  const auto mask = message.find(kXdpFeatures);
  if (!index || !mask) return;
  std::vector<std::string>& names = features[static_cast<int>(index->number())];
  for (std::size_t bit = 0; bit < std::size(kNames); ++bit) {
    if ((mask->number() >> bit & 1) != 0) names.emplace_back(kNames[bit]);
  }
}

Result<XdpFeatures> read_xdp_features() {
  auto socket = NetlinkSocket::open(NETLINK_GENERIC);
  if (!socket) return socket.error();
  const auto family = generic_family(*socket, "netdev");
  if (!family) return family.error();
  NetlinkRequest request = generic_request(*family, kDevGet, 1, NLM_F_DUMP);
  XdpFeatures features;
  const auto answer = socket->request(
      request, [&](std::uint16_t, Bytes payload) { parse_xdp_features(generic_attributes(payload), features); });
  if (!answer) return answer.error();
  return features;
}

}  // namespace sockdoc
