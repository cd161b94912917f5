#include "probes/links/qdisc_messages.h"

#include <gtest/gtest.h>
#include <linux/gen_stats.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "../random_bytes.h"

namespace sockdoc {
namespace {

std::vector<std::byte> qdisc_message(std::uint32_t handle, std::uint32_t parent, bool statistics = true) {
  NetlinkRequest request(RTM_NEWQDISC, 0);
  tcmsg fixed{};
  fixed.tcm_ifindex = 4;
  fixed.tcm_handle = handle;
  fixed.tcm_parent = parent;
  request.append(fixed).attribute_text(TCA_KIND, "tbf");
  if (statistics) {
    const auto nest = request.begin_nested(TCA_STATS2);
    const gnet_stats_basic basic{5'000'000'000, 77};
    const gnet_stats_queue queue{3, 4500, 9, 2, 11};
    request.attribute_bytes(TCA_STATS_BASIC, std::as_bytes(std::span(&basic, 1)));
    request.attribute<std::uint64_t>(TCA_STATS_PKT64, 4'294'967'373);
    request.attribute_bytes(TCA_STATS_QUEUE, std::as_bytes(std::span(&queue, 1))).end_nested(nest);
  }
  return body_of(request);
}

TEST(ParseQdisc, ReadsItsStatistics) {
  const auto row = parse_qdisc(qdisc_message(0x80010000, TC_H_ROOT));
  ASSERT_TRUE(row);
  EXPECT_EQ(row->kind, "tbf");
  EXPECT_EQ(row->handle, "8001:");
  EXPECT_EQ(row->parent, "root");
  EXPECT_EQ(row->bytes, 5'000'000'000u);
  EXPECT_EQ(row->packets, 4'294'967'373u);
  EXPECT_EQ(row->drops, 9u);
  EXPECT_EQ(row->overlimits, 11u);
  EXPECT_EQ(row->requeues, 2u);
  EXPECT_EQ(row->backlog_bytes, 4500u);
  EXPECT_EQ(row->backlog_packets, 3u);
}

TEST(ParseQdisc, NamesHandlesAndParentsAsTcDoes) {
  EXPECT_EQ(parse_qdisc(qdisc_message(0, 0x00000001))->handle, "0:");
  EXPECT_EQ(parse_qdisc(qdisc_message(0, 0x00000001))->parent, ":1");
  EXPECT_EQ(parse_qdisc(qdisc_message(0, 0x0001000a))->parent, "1:a");
  EXPECT_EQ(parse_qdisc(qdisc_message(0xffff0000, TC_H_INGRESS))->parent, "ingress");
}

TEST(ParseQdisc, NeedsStatisticsAndSurvivesDamage) {
  EXPECT_FALSE(parse_qdisc(qdisc_message(0, TC_H_ROOT, false)));
  feed_damaged(qdisc_message(0x10000, TC_H_ROOT), [](Bytes bytes) {
    const auto row = parse_qdisc(bytes);
    EXPECT_TRUE(!row || !row->parent.empty());
  });
}

}  // namespace
}  // namespace sockdoc
