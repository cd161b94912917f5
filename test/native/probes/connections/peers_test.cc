#include "probes/connections/peers.h"

#include <gtest/gtest.h>

#include "table_rows.h"

namespace sockdoc {
namespace {

constexpr std::uint32_t kNone = TableRow::kNone;

TEST(Peers, BothEndsInOneNamespaceAlsoWhenOneIsMapped) {
  MadeReading made;
  made.add(socket_of("127.0.0.1:80", "127.0.0.1:4000", 1));
  made.add(socket_of("[::ffff:127.0.0.1]:4000", "[::ffff:127.0.0.1]:80", 2));
  made.add(socket_of("10.0.0.1:80", "10.0.0.9:4000", 3));
  join_peers(made.reading);
  EXPECT_EQ(made.reading.rows[0].peer, 1u);
  EXPECT_EQ(made.reading.rows[1].peer, 0u);
  EXPECT_TRUE(made.reading.rows[0].local);
  EXPECT_EQ(made.reading.rows[2].peer, kNone);
  EXPECT_FALSE(made.reading.rows[2].local);
}

TEST(Peers, AcrossNamespacesOnlyWhereItIsUnambiguousAndNotLoopback) {
  MadeReading made;
  made.reading.netns.resize(3);
  made.add(socket_of("10.0.0.1:80", "10.0.0.2:4000", 1), 0);
  made.add(socket_of("10.0.0.2:4000", "10.0.0.1:80", 2), 1);
  made.add(socket_of("127.0.0.1:80", "127.0.0.1:4000", 3), 0);
  made.add(socket_of("127.0.0.1:4000", "127.0.0.1:80", 4), 1);
  made.add(socket_of("10.0.0.1:81", "10.0.0.2:4001", 5), 0);
  made.add(socket_of("10.0.0.2:4001", "10.0.0.1:81", 6), 1);
  made.add(socket_of("10.0.0.2:4001", "10.0.0.1:81", 7), 2);
  join_peers(made.reading);
  EXPECT_EQ(made.reading.rows[0].peer, 1u);
  EXPECT_EQ(made.reading.rows[1].peer, 0u);
  EXPECT_EQ(made.reading.rows[2].peer, kNone) << "each namespace has a loopback of its own";
  EXPECT_TRUE(made.reading.rows[2].local) << "whoever it is, it is on this host";
  EXPECT_EQ(made.reading.rows[4].peer, kNone) << "two could be it";
}

TEST(Peers, OwnAddressesAreLocalAlsoWithoutTheOtherEnd) {
  MadeReading made;
  std::uint8_t family = 0;
  std::uint16_t port = 0;
  made.reading.netns.front().addresses.insert(endpoint_of("10.0.0.1:1", family, port));
  made.add(socket_of("10.0.0.1:4000", "10.0.0.1:80", 1)).socket.state = kSynSent;
  made.add(socket_of("10.0.0.1:80", "0.0.0.0:0", 2)).socket.state = kListen;
  made.add(socket_of("127.0.0.1:80", "127.0.0.1:4000", 3)).socket.state = kTimeWait;
  join_peers(made.reading);
  EXPECT_TRUE(made.reading.rows[0].local);
  EXPECT_FALSE(made.reading.rows[1].local);
  EXPECT_TRUE(made.reading.rows[2].local);
}

}  // namespace
}  // namespace sockdoc
