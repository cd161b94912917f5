#include "probes/events/connection_events.h"

#include <gtest/gtest.h>

#include <chrono>
#include <regex>

#include "live_sockets.h"

namespace sockdoc {
namespace {

constexpr int kConnections = 300;

std::uint64_t ended_of(const std::string& answer) {
  std::smatch found;
  EXPECT_TRUE(std::regex_search(answer, found, std::regex("\"ended\":(\\d+)"))) << answer;
  return found.empty() ? 0 : std::stoull(found[1]);
}

class ConnectionEventsOf : public testing::TestWithParam<bool> {};

TEST_P(ConnectionEventsOf, CountsWhatEndsWhileItIsRead) {
  ConnectionEvents events;
  const std::string started = events.start({{""}, GetParam()});
  if (started.find("BPF") != std::string::npos) GTEST_SKIP() << started;
  ASSERT_EQ(started, "{\"gaps\":[]}");
  std::thread load(churn, kConnections);
  constexpr std::uint64_t wanted = 2 * kConnections;
  std::uint64_t ended = 0;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  // Others in this namespace may add to it.
  while (ended < wanted && std::chrono::steady_clock::now() < deadline) {
    ended += ended_of(events.read());
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  load.join();
  EXPECT_GE(ended, wanted);
  events.stop();
  EXPECT_NE(events.read().find("\"netns\":[]"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(BothWays, ConnectionEventsOf, testing::Bool(),
                         [](const auto& tested) { return tested.param ? "DestroyEvents" : "Bpf"; });

TEST(ConnectionEvents, BeginsAnewAndEndsWithTheObject) {
  ConnectionEvents events;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(events.start({{"", ""}, true}), "{\"gaps\":[]}");
  const std::string answer = events.read();
  EXPECT_EQ(answer.find("\"path\""), answer.rfind("\"path\"")) << "one namespace under two names: " << answer;
}

TEST(ConnectionEvents, HasAGapForANamespaceThatIsNotThere) {
  ConnectionEvents events;
  EXPECT_NE(events.start({{"/proc/self/ns/nonesuch"}, true}).find("No such file"), std::string::npos);
  EXPECT_NE(events.read().find("\"netns\":[]"), std::string::npos);
}

}  // namespace
}  // namespace sockdoc
