#include "probes/links/route_messages.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "../random_bytes.h"
#include "probes/links/address_messages.h"

namespace sockdoc {
namespace {

void address_attribute(NetlinkRequest& request, unsigned type, const char* text) {
  std::byte bytes[16];
  const bool v6 = std::string_view(text).find(':') != std::string_view::npos;
  ASSERT_EQ(::inet_pton(v6 ? AF_INET6 : AF_INET, text, bytes), 1);
  request.attribute_bytes(static_cast<std::uint16_t>(type), Bytes(bytes).first(v6 ? 16 : 4));
}

rtmsg unicast(std::uint8_t family) {
  rtmsg fixed{};
  fixed.rtm_family = family;
  fixed.rtm_table = RT_TABLE_MAIN;
  fixed.rtm_type = RTN_UNICAST;
  return fixed;
}

std::vector<std::byte> tuned_route() {
  NetlinkRequest request(RTM_NEWROUTE, 0);
  rtmsg fixed = unicast(AF_INET);
  fixed.rtm_dst_len = 8;
  request.append(fixed);
  address_attribute(request, RTA_DST, "10.0.0.0");
  address_attribute(request, RTA_GATEWAY, "192.0.2.1");
  address_attribute(request, RTA_PREFSRC, "192.0.2.9");
  request.attribute<std::uint32_t>(RTA_OIF, 4).attribute<std::uint32_t>(RTA_PRIORITY, 100);
  const auto metrics = request.begin_nested(RTA_METRICS);
  request.attribute<std::uint32_t>(RTAX_INITCWND, 32).attribute_text(RTAX_CC_ALGO, "bbr").end_nested(metrics);
  return body_of(request);
}

std::vector<std::byte> multipath_route() {
  NetlinkRequest request(RTM_NEWROUTE, 0);
  request.append(unicast(AF_INET));
  std::vector<std::byte> hops;
  for (const int link : {5, 6}) {
    NetlinkRequest gateway(0, 0);
    address_attribute(gateway, RTA_GATEWAY, link == 5 ? "192.0.2.5" : "192.0.2.6");
    const auto attributes = body_of(gateway);
    rtnexthop hop{};
    hop.rtnh_len = static_cast<std::uint16_t>(sizeof hop + attributes.size());
    hop.rtnh_ifindex = link;
    const Bytes head = std::as_bytes(std::span(&hop, 1));
    hops.insert(hops.end(), head.begin(), head.end());
    hops.insert(hops.end(), attributes.begin(), attributes.end());
  }
  request.attribute_bytes(RTA_MULTIPATH, hops);
  return body_of(request);
}

TEST(ParseRoute, ReadsGatewayMetricsAndCongestionControl) {
  const auto route = parse_route(tuned_route());
  ASSERT_TRUE(route);
  EXPECT_EQ(route->destination, "10.0.0.0/8");
  EXPECT_EQ(route->gateway, "192.0.2.1");
  EXPECT_EQ(route->source, "192.0.2.9");
  EXPECT_EQ(route->link, 4);
  EXPECT_EQ(route->metric, 100u);
  EXPECT_EQ(route->initial_cwnd, 32u);
  EXPECT_EQ(route->congestion_control, "bbr");
  EXPECT_FALSE(route->next_hops);
}

TEST(ParseRoute, CountsNextHopsAndShowsTheFirst) {
  const auto route = parse_route(multipath_route());
  ASSERT_TRUE(route);
  EXPECT_EQ(route->destination, "default");
  EXPECT_EQ(route->next_hops, 2u);
  EXPECT_EQ(route->gateway, "192.0.2.5");
  EXPECT_EQ(route->link, 5);
}

TEST(ParseRoute, LeavesOutOtherTablesTypesAndCachedRoutes) {
  const auto parsed = [](const std::function<void(rtmsg&)>& change, std::optional<std::uint32_t> table) {
    NetlinkRequest request(RTM_NEWROUTE, 0);
    rtmsg fixed = unicast(AF_INET6);
    change(fixed);
    request.append(fixed);
    if (table) request.attribute<std::uint32_t>(RTA_TABLE, *table);
    return parse_route(body_of(request)).has_value();
  };
  EXPECT_TRUE(parsed([](rtmsg&) {}, std::nullopt));
  EXPECT_TRUE(parsed([](rtmsg& fixed) { fixed.rtm_table = RT_TABLE_COMPAT; }, RT_TABLE_MAIN));
  EXPECT_FALSE(parsed([](rtmsg&) {}, 1000));
  EXPECT_FALSE(parsed([](rtmsg& fixed) { fixed.rtm_table = RT_TABLE_LOCAL; }, std::nullopt));
  EXPECT_FALSE(parsed([](rtmsg& fixed) { fixed.rtm_type = RTN_BLACKHOLE; }, std::nullopt));
  EXPECT_FALSE(parsed([](rtmsg& fixed) { fixed.rtm_flags = RTM_F_CLONED; }, std::nullopt));
  EXPECT_FALSE(parsed([](rtmsg& fixed) { fixed.rtm_family = AF_DECnet; }, std::nullopt));
}

TEST(ParseRoute, SurvivesDamage) {
  const auto parse = [](Bytes bytes) {
    const auto route = parse_route(bytes);
    EXPECT_TRUE(!route || !route->destination.empty());
  };
  feed_damaged(tuned_route(), parse);
  feed_damaged(multipath_route(), parse);
}

std::vector<std::byte> point_to_point() {
  NetlinkRequest request(RTM_NEWADDR, 0);
  ifaddrmsg fixed{};
  fixed.ifa_family = AF_INET;
  fixed.ifa_prefixlen = 32;
  fixed.ifa_index = 9;
  fixed.ifa_scope = RT_SCOPE_LINK;
  request.append(fixed);
  address_attribute(request, IFA_ADDRESS, "10.0.0.2");
  address_attribute(request, IFA_LOCAL, "10.0.0.1");
  return body_of(request);
}

TEST(ParseAddress, TakesOurOwnEndOfAPointToPointLink) {
  const auto row = parse_address(point_to_point());
  ASSERT_TRUE(row);
  EXPECT_EQ(row->address, "10.0.0.1");
  EXPECT_EQ(row->prefix_length, 32u);
  EXPECT_EQ(row->link, 9);
  EXPECT_EQ(scope_name(row->scope), "link");
  feed_damaged(point_to_point(), [](Bytes bytes) {
    const auto damaged = parse_address(bytes);
    EXPECT_TRUE(!damaged || !damaged->address.empty());
  });
}

TEST(DumpRoutes, StopsAtItsLimit) {
  NetlinkEnd end;
  const auto none = dump_routes(0, end);
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->rows.empty());
  const auto all = dump_routes(1000, end);
  ASSERT_TRUE(all);
  EXPECT_EQ(none->truncated, !all->rows.empty());
  if (all->rows.size() < 2) GTEST_SKIP() << "needs two routes";
  const auto one = dump_routes(1, end);
  ASSERT_TRUE(one);
  EXPECT_EQ(one->rows.size(), 1u);
  EXPECT_TRUE(one->truncated);
}

}  // namespace
}  // namespace sockdoc
