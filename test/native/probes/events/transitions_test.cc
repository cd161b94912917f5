#include "probes/events/transitions.h"

#include <gtest/gtest.h>
#include <linux/netlink.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/netns.h"
#include "live_sockets.h"

namespace sockdoc {
namespace {

/** The counters of a side and port, summed over readings until there are so many. */
EndedGroup ended_on(Transitions& transitions, Side side, std::uint16_t port, std::uint64_t enough) {
  EndedGroup sum;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (sum.sums.count < enough && std::chrono::steady_clock::now() < deadline) {
    for (const auto& [netns, now] : transitions.take()) {
      for (const EndedGroup& group : now.groups) {
        if (group.key.side != side || group.key.port != port) continue;
        sum.key = group.key;
        sum.comm = group.comm;
        sum.sums += group.sums;
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return sum;
}

TEST(Transitions, KnowsConnectionsThatAreOlderThanItself) {
  const Fd listener = listening(16);
  const std::uint16_t port = port_of(listener);
  std::vector<Fd> sockets;
  for (int i = 0; i < 20; ++i) {
    sockets.push_back(connected_to(listener));
    sockets.push_back(accepted_from(listener));
  }
  auto transitions = Transitions::attach();
  if (!transitions) GTEST_SKIP() << transitions.error().message();
  auto queries = NetlinkSocket::open(NETLINK_SOCK_DIAG);
  ASSERT_TRUE(queries);
  const auto ports = listening_ports(*queries);
  ASSERT_TRUE(ports);
  ASSERT_TRUE((*ports)->test(port));
  ASSERT_TRUE(transitions->watch(static_cast<std::uint32_t>(*netns_id("")), **ports));
  sockets.clear();
  const EndedGroup connecting = ended_on(*transitions, Side::kConnecting, port, 20);
  EXPECT_EQ(connecting.sums.count, 20u);
  EXPECT_EQ(connecting.key.pid, static_cast<std::uint32_t>(::getpid())) << "who closed it";
}

TEST(Transitions, TellsOfTheListenerThatHasGone) {
  auto transitions = Transitions::attach();
  if (!transitions) GTEST_SKIP() << transitions.error().message();
  ASSERT_TRUE(transitions->watch(static_cast<std::uint32_t>(*netns_id("")), PortSet()));
  std::uint16_t port = 0;
  {
    const Fd listener = listening(16);
    port = port_of(listener);
    const Fd connected = connected_to(listener);
    const Fd accepted = accepted_from(listener);
  }
  const EndedGroup accepting = ended_on(*transitions, Side::kAccepting, port, 1);
  EXPECT_EQ(accepting.sums.count, 1u);
  EXPECT_EQ(accepting.key.pid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_FALSE(accepting.comm.empty());
  EXPECT_EQ(accepting.sums.unseen, 1u);
}

}  // namespace
}  // namespace sockdoc
