#include "probes/links/link_messages.h"

#include <gtest/gtest.h>
#include <linux/if_bonding.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "../random_bytes.h"

namespace sockdoc {
namespace {

std::vector<std::byte> link_message(unsigned flags, const std::function<void(NetlinkRequest&)>& more) {
  NetlinkRequest request(RTM_NEWLINK, 0);
  ifinfomsg fixed{};
  fixed.ifi_index = 7;
  fixed.ifi_type = 1;
  fixed.ifi_flags = flags;
  request.append(fixed).attribute_text(IFLA_IFNAME, "eth7");
  more(request);
  return body_of(request);
}

std::vector<std::byte> bond_port() {
  return link_message(IFF_UP, [](NetlinkRequest& request) {
    request.attribute<std::uint32_t>(IFLA_MTU, 9000).attribute<std::uint32_t>(IFLA_MASTER, 3);
    request.attribute<std::uint32_t>(IFLA_LINK, 5).attribute<std::uint8_t>(IFLA_CARRIER, 1);
    request.attribute<std::uint8_t>(IFLA_OPERSTATE, 6).attribute_text(IFLA_QDISC, "mq");
    const std::uint8_t mac[] = {0x02, 0xfc, 0, 0, 0, 0xa1};
    request.attribute_bytes(IFLA_ADDRESS, std::as_bytes(std::span(mac)));
    const std::uint64_t statistics[] = {10, 20, 1000, 2000};
    request.attribute_bytes(IFLA_STATS64, std::as_bytes(std::span(statistics)));
    const auto xdp = request.begin_nested(IFLA_XDP);
    request.attribute<std::uint8_t>(IFLA_XDP_ATTACHED, XDP_ATTACHED_DRV).end_nested(xdp);
    const auto info = request.begin_nested(IFLA_LINKINFO);
    request.attribute_text(IFLA_INFO_SLAVE_KIND, "bond");
    const auto data = request.begin_nested(IFLA_INFO_SLAVE_DATA);
    request.attribute<std::uint8_t>(IFLA_BOND_SLAVE_STATE, BOND_STATE_BACKUP);
    request.attribute<std::uint8_t>(IFLA_BOND_SLAVE_MII_STATUS, BOND_LINK_DOWN);
    request.end_nested(data).end_nested(info);
  });
}

TEST(ParseLink, ReadsWhatTheKernelSent) {
  const auto link = parse_link(bond_port());
  ASSERT_TRUE(link);
  EXPECT_EQ(link->index, 7);
  EXPECT_EQ(link->name, "eth7");
  EXPECT_EQ(link->mtu, 9000u);
  EXPECT_EQ(link->master, 3);
  EXPECT_EQ(link->lower, 5);
  EXPECT_EQ(link->carrier, true);
  EXPECT_STREQ(oper_state_name(link->oper_state), "up");
  EXPECT_EQ(link->mac_address, "02:fc:00:00:00:a1");
  EXPECT_EQ(link->qdisc, "mq");
  EXPECT_EQ(link->xdp_attached, "native");
  ASSERT_TRUE(link->bond_port);
  EXPECT_EQ(link->bond_port->active, false);
  EXPECT_EQ(link->bond_port->link_up, false);
  // An older kernel has fewer statistics: those that it lacks are absent, not zero.
  ASSERT_EQ(link->statistics.size(), 4u);
  EXPECT_STREQ(link->statistics[2].first, "rx_bytes");
  EXPECT_EQ(link->statistics[2].second, 1000u);
  EXPECT_FALSE(link->max_mtu);
  EXPECT_FALSE(link->bond_mode);
}

TEST(ParseLink, ReadsTheModeOfABond) {
  const auto link = parse_link(link_message(IFF_UP, [](NetlinkRequest& request) {
    const auto info = request.begin_nested(IFLA_LINKINFO);
    request.attribute_text(IFLA_INFO_KIND, "bond");
    const auto data = request.begin_nested(IFLA_INFO_DATA);
    request.attribute<std::uint8_t>(IFLA_BOND_MODE, BOND_MODE_8023AD).end_nested(data).end_nested(info);
  }));
  ASSERT_TRUE(link && link->bond_mode);
  EXPECT_EQ(bond_mode_name(*link->bond_mode), "802.3ad");
  EXPECT_EQ(bond_mode_name(99), "99");
}

TEST(ParseLink, KnowsNoLowerLinkInAnotherNamespaceNorBelowVeth) {
  const auto elsewhere = parse_link(link_message(IFF_UP, [](NetlinkRequest& request) {
    request.attribute<std::uint32_t>(IFLA_LINK, 5).attribute<std::uint32_t>(IFLA_LINK_NETNSID, 0);
  }));
  EXPECT_EQ(elsewhere->lower, 0);
  const auto veth = parse_link(link_message(IFF_UP, [](NetlinkRequest& request) {
    request.attribute<std::uint32_t>(IFLA_LINK, 5);
    const auto info = request.begin_nested(IFLA_LINKINFO);
    request.attribute_text(IFLA_INFO_KIND, "veth").end_nested(info);
  }));
  EXPECT_EQ(veth->lower, 0);
  EXPECT_EQ(veth->kind, "veth");
}

TEST(ParseLink, KnowsNoCarrierOfALinkThatIsDown) {
  const auto link =
      parse_link(link_message(0, [](NetlinkRequest& request) { request.attribute<std::uint8_t>(IFLA_CARRIER, 1); }));
  EXPECT_FALSE(link->carrier);
}

TEST(ParseLink, SurvivesDamage) {
  feed_damaged(bond_port(), [](Bytes bytes) {
    if (const auto link = parse_link(bytes)) {
      EXPECT_FALSE(link->name.empty());
      EXPECT_FALSE(link_type(link->hardware_type).empty());
      EXPECT_NE(oper_state_name(link->oper_state), nullptr);
    }
  });
}

}  // namespace
}  // namespace sockdoc
