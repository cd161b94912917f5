#include "probes/links/queue_statistics.h"

#include <gtest/gtest.h>

#include "../random_bytes.h"

namespace sockdoc {
namespace {

std::vector<std::byte> queue(std::uint32_t type, std::uint32_t id) {
  NetlinkRequest request(0, 0);
  request.attribute<std::uint32_t>(1, 7).attribute<std::uint32_t>(2, type).attribute<std::uint32_t>(3, id);
  // RX and TX packets and bytes, drops of both directions; numbers are 4 or 8 bytes wide, as they need.
  request.attribute<std::uint32_t>(8, 10).attribute<std::uint64_t>(9, 1ull << 40);
  request.attribute<std::uint32_t>(10, 20).attribute<std::uint32_t>(11, 2000).attribute<std::uint32_t>(24, 3);
  return body_of(request);
}

TEST(QueueStatistics, OfEachDirection) {
  QueueStatistics statistics;
  for (const auto& body : {queue(0, 1), queue(1, 2)}) parse_queue_statistics(Attributes(Bytes(body)), statistics);
  ASSERT_EQ(statistics[7].size(), 2u);
  EXPECT_FALSE(statistics[7][0].transmit);
  EXPECT_EQ(statistics[7][0].index, 1u);
  EXPECT_EQ(statistics[7][0].packets, 10u);
  EXPECT_EQ(statistics[7][0].bytes, 1ull << 40);
  EXPECT_FALSE(statistics[7][0].drops);
  EXPECT_TRUE(statistics[7][1].transmit);
  EXPECT_EQ(statistics[7][1].packets, 20u);
  EXPECT_EQ(statistics[7][1].drops, 3u);
}

TEST(QueueStatistics, OfTheDeviceAsAWholeAreNoQueue) {
  NetlinkRequest request(0, 0);
  request.attribute<std::uint32_t>(1, 7).attribute<std::uint32_t>(8, 10);
  const auto body = body_of(request);
  QueueStatistics statistics;
  parse_queue_statistics(Attributes(Bytes(body)), statistics);
  EXPECT_TRUE(statistics.empty());
}

TEST(QueueStatistics, SurviveDamage) {
  feed_damaged(queue(0, 1), [](Bytes bytes) {
    QueueStatistics statistics;
    parse_queue_statistics(Attributes(bytes), statistics);
  });
}

}  // namespace
}  // namespace sockdoc
