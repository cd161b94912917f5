#include "probes/sockets/ranking.h"

#include <gtest/gtest.h>

namespace sockdoc {
namespace {

InetSocket established(std::uint64_t cookie) {
  InetSocket socket;
  socket.state = kEstablished;
  socket.cookie = cookie;
  socket.info.length = sizeof(TcpInfoFields);
  socket.info.fields.snd_mss = 1448;
  socket.info.fields.snd_cwnd = 10;
  socket.memory.present = true;
  return socket;
}

std::shared_ptr<ConnectionBase> base_of(const std::vector<InetSocket>& sockets, bool complete = true) {
  auto base = std::make_shared<ConnectionBase>();
  for (const InetSocket& socket : sockets) base->add(counters_of(socket));
  base->finish(1000, complete);
  return base;
}

TEST(ConnectionBase, SubtractsByCookie) {
  std::vector<InetSocket> before;
  for (std::uint64_t cookie = 1; cookie <= 1000; ++cookie) {
    before.push_back(established(cookie));
    before.back().info.fields.bytes_sent = cookie * 100;
    before.back().info.fields.segs_out = 0xffffffff;
  }
  const auto base = base_of(before);
  for (std::uint64_t cookie = 1; cookie <= 1000; ++cookie) {
    InetSocket now = before[cookie - 1];
    now.info.fields.bytes_sent += cookie;
    now.info.fields.segs_out = 1;  // it wrapped
    const Activity activity = activity_of(now, base.get(), 3000);
    ASSERT_TRUE(activity.windowed);
    EXPECT_FALSE(activity.opened);
    EXPECT_EQ(activity.moved.sent, cookie);
    EXPECT_EQ(activity.moved.segments_out, 2u);
    EXPECT_EQ(activity.cwnd_first, 10u);
    EXPECT_EQ(activity.ms, 2000);
  }
  EXPECT_EQ(base->find(1001), nullptr);
}

TEST(ConnectionBase, ANewConnectionCountsFromItsBeginningOnlyWhenNothingCanHaveBeenMissed) {
  InetSocket socket = established(7);
  socket.info.fields.bytes_received = 55;
  const Activity opened = activity_of(socket, base_of({}).get(), 2000);
  EXPECT_TRUE(opened.windowed);
  EXPECT_TRUE(opened.opened);
  EXPECT_EQ(opened.moved.received, 55u);
  EXPECT_FALSE(activity_of(socket, base_of({}, false).get(), 2000).windowed);
  EXPECT_FALSE(activity_of(socket, nullptr, 2000).windowed);
}

TEST(ConnectionBase, ASocketThatWasConnectedAgainHasNoWindow) {
  InetSocket socket = established(7);
  socket.info.fields.bytes_sent = 100;
  const auto base = base_of({socket});
  socket.info.fields.bytes_sent = 40;
  const Activity activity = activity_of(socket, base.get(), 2000);
  EXPECT_FALSE(activity.windowed);
  EXPECT_EQ(activity.moved.sent, 40u);
}

TEST(ConnectionBase, SaysWhichSocketsADumpHasShownTwice) {
  const auto base = base_of({established(7), established(8), established(7), established(9), established(7)});
  EXPECT_EQ(base->repeated(), (std::vector<std::uint32_t>{2, 4}));
  EXPECT_NE(base->find(9), nullptr);
  EXPECT_TRUE(base_of({established(7)})->repeated().empty());
}

TEST(Ranking, KeepsTheWorstAndCountsAll) {
  Ranking ranking(3, 10);
  for (std::uint64_t cookie = 1; cookie <= 100; ++cookie) {
    InetSocket socket = established(cookie);
    socket.receive_queue = static_cast<std::uint32_t>(cookie * 37 % 101);
    ranking.consider(socket, activity_of(socket, nullptr, 0), false);
  }
  EXPECT_EQ(ranking.counts()[kUnread], 100u);
  EXPECT_EQ(ranking.counts()[kTraffic], 0u);
  const auto rows = ranking.take();
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].socket.receive_queue, 100u);
  EXPECT_EQ(rows[1].socket.receive_queue, 99u);
  EXPECT_EQ(rows[2].socket.receive_queue, 98u);
}

TEST(Ranking, OneRowForAllItsReasons) {
  Ranking ranking(3, 10);
  InetSocket socket = established(1);
  socket.receive_queue = 5;
  socket.info.fields.bytes_received = 5;
  ranking.consider(socket, activity_of(socket, nullptr, 0), true);
  const auto rows = ranking.take();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].reasons, 1u << kTraffic | 1u << kUnread | 1u << kAsked);
}

TEST(Ranking, FinOfThePeerIsNotUnreadData) {
  InetSocket socket = established(1);
  socket.state = kCloseWait;
  socket.receive_queue = 1;
  socket.info.fields.last_data_recv = 5000;
  const Activity activity = activity_of(socket, nullptr, 0);
  EXPECT_EQ(score(kUnread, socket, activity), 0u);
  EXPECT_EQ(score(kCloseWaiting, socket, activity), 5001u);
}

TEST(Ranking, LimitedMeansAPerCentOfTheWindow) {
  InetSocket socket = established(1);
  const auto base = base_of({socket});
  socket.info.fields.rwnd_limited = 9'999;
  EXPECT_EQ(score(kReceiveWindowLimited, socket, activity_of(socket, base.get(), 2000)), 0u);
  socket.info.fields.rwnd_limited = 10'000;
  EXPECT_EQ(score(kReceiveWindowLimited, socket, activity_of(socket, base.get(), 2000)), 10'000u);
  socket.info.fields.busy_time = 2'000'000;
  EXPECT_EQ(score(kReceiveWindowLimited, socket, activity_of(socket, nullptr, 2000)), 0u) << "0.5 % of busy time";
}

TEST(Ranking, ASmallSegmentBehindAnUnacknowledgedOne) {
  InetSocket socket = established(1);
  socket.info.fields.unacked = 1;
  socket.info.fields.notsent_bytes = 100;
  EXPECT_GT(score(kSmallUnacked, socket, activity_of(socket, nullptr, 0)), 0u);
  socket.info.fields.notsent_bytes = 1448;
  EXPECT_EQ(score(kSmallUnacked, socket, activity_of(socket, nullptr, 0)), 0u) << "a full segment waits for cwnd";

  InetSocket waited = established(2);
  waited.info.fields.min_rtt = 100;
  waited.info.fields.bytes_sent = 1000;
  waited.info.fields.data_segs_out = 10;
  waited.info.fields.busy_time = 400'000;
  EXPECT_EQ(score(kSmallUnacked, waited, activity_of(waited, nullptr, 0)), 400'000u);
  waited.info.fields.min_rtt = 30'000;
  EXPECT_EQ(score(kSmallUnacked, waited, activity_of(waited, nullptr, 0)), 0u) << "the path is that long";
}

TEST(Ranking, IdleRestartIsAFallOfTheWindowWithoutLoss) {
  InetSocket socket = established(1);
  socket.info.fields.snd_cwnd = 80;
  const auto base = base_of({socket});
  socket.info.fields.snd_cwnd = 10;
  socket.info.fields.data_segs_out = 1;
  EXPECT_EQ(score(kIdleRestart, socket, activity_of(socket, base.get(), 2000)), 70u);
  socket.info.fields.total_retrans = 1;
  EXPECT_EQ(score(kIdleRestart, socket, activity_of(socket, base.get(), 2000)), 0u);
}

TEST(Ranking, DropsOfTheWindowComeBeforeOlderOnes) {
  InetSocket old = established(1), fresh = established(2);
  old.memory.values[8] = 1000;
  const auto base = base_of({old, fresh});
  fresh.memory.values[8] = 1;
  EXPECT_GT(score(kDrops, fresh, activity_of(fresh, base.get(), 2000)),
            score(kDrops, old, activity_of(old, base.get(), 2000)));
  EXPECT_GT(score(kDrops, old, activity_of(old, base.get(), 2000)), 0u);
}

}  // namespace
}  // namespace sockdoc
