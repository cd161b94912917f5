#include "probes/events/destroy_socket.h"

#include <gtest/gtest.h>
#include <poll.h>

#include "live_sockets.h"
#include "probes/events/netns_events.h"

namespace sockdoc {
namespace {

constexpr int kChurned = 200;

/** Drains until `enough`, or until nothing comes for a long time. */
void drain_until(DestroySocket& events, const std::function<void(const EndedSocket&)>& take,
                 const std::function<bool(bool complete)>& enough) {
  pollfd source{events.fd(), POLLIN, 0};
  while (::poll(&source, 1, 10'000) > 0) {
    if (enough(events.drain(take))) return;
  }
}

TEST(DestroySocket, HearsBothEndsOfEachConnection) {
  auto events = DestroySocket::open();
  ASSERT_TRUE(events) << events.error().message();
  const std::uint16_t port = churn(kChurned);
  int accepting = 0;
  int connecting = 0;
  bool all = true;
  drain_until(
      *events,
      [&](const EndedSocket& socket) {
        accepting += socket.local_port == port ? 1 : 0;
        connecting += socket.remote_port == port ? 1 : 0;
      },
      [&](bool complete) {
        all &= complete;
        return accepting >= kChurned && connecting >= kChurned;
      });
  EXPECT_TRUE(all);
  EXPECT_EQ(accepting, kChurned);
  EXPECT_EQ(connecting, kChurned);
}

TEST(DestroySocket, SaysWhenItsBufferWasTooSmall) {
  auto events = DestroySocket::open(1);
  ASSERT_TRUE(events) << events.error().message();
  (void)churn(kChurned);
  bool lost = false;
  int heard = 0;
  drain_until(
      *events, [&](const EndedSocket&) { ++heard; },
      [&](bool complete) {
        lost |= !complete;
        return lost;
      });
  EXPECT_TRUE(lost);
  EXPECT_LT(heard, 2 * kChurned);
}

TEST(NetnsEvents, TellsTheEndsOfAListenerThatCameAndWent) {
  auto events = NetnsEvents::open();
  ASSERT_TRUE(events) << events.error().message();
  const std::uint16_t port = churn(kChurned);
  std::uint64_t accepting = 0;
  std::uint64_t connecting = 0;
  pollfd source{(*events)->fd(), POLLIN, 0};
  while (accepting + connecting<2 * kChurned&& ::poll(&source, 1, 10'000)> 0) {
    (*events)->drain();
    if (accepting + connecting == 0 && ::poll(&source, 1, 200) > 0) continue;  // as many as possible in one take
    for (const EndedGroup& group : (*events)->take().groups) {
      if (group.key.port != port) continue;
      (group.key.side == Side::kAccepting ? accepting : connecting) += group.sums.count;
    }
  }
  EXPECT_EQ(accepting, kChurned);
  EXPECT_EQ(connecting, kChurned);
}

}  // namespace
}  // namespace sockdoc
