#include <poll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "preload/connection/idle_rings.h"
#include "readiness.h"

namespace sockdoc::preload {
namespace {

TEST_F(Readiness, PollMergesRingsAndKernel) {
  RingedPair pair;
  RingedPair idle;
  const int event = eventfd(1, 0);
  pollfd entries[] = {{pair.fd, POLLIN, 77}, {idle.fd, POLLIN | POLLOUT, 77}, {event, POLLIN, 77}, {-1, POLLIN, 77}};
  EXPECT_EQ(sockdoc_hook_poll(entries, 1, 0), 0);
  ASSERT_TRUE(pair.send(1));
  EXPECT_EQ(sockdoc_hook_poll(entries, 1, kLong), 1);
  EXPECT_EQ(entries[0].revents, POLLIN);
  EXPECT_EQ(sockdoc_hook_poll(entries, 4, kLong), 3);
  EXPECT_EQ(entries[0].revents, POLLIN);
  EXPECT_EQ(entries[1].revents, POLLOUT);
  EXPECT_EQ(entries[2].revents, POLLIN);
  EXPECT_EQ(entries[3].revents, 0);
  EXPECT_EQ(pair.receive(), 1U);
  EXPECT_EQ(sockdoc_hook_poll(entries, 1, 10), 0);
  EXPECT_TRUE(pair.marked());
  EXPECT_FALSE(pair.send(1));
  EXPECT_EQ(sockdoc_hook_poll(entries, 1, kLong), 1);
  entries[0].events = POLLRDNORM | POLLOUT;
  EXPECT_EQ(sockdoc_hook_ppoll(entries, 1, nullptr, nullptr), 1);
  EXPECT_EQ(entries[0].revents, POLLRDNORM | POLLOUT);
  ::close(event);
}

TEST_F(Readiness, SelectMergesRingsAndKernel) {
  RingedPair pair;
  RingedPair idle;
  ASSERT_TRUE(pair.send(1));
  const auto select = [&](bool with_out, timeval* timeout) {
    fd_set in;
    fd_set out;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(pair.fd, &in);
    FD_SET(idle.fd, &in);
    FD_SET(idle.fd, &out);
    const int highest = std::max(pair.fd, idle.fd) + 1;
    const int count = sockdoc_hook_select(highest, &in, with_out ? &out : nullptr, nullptr, timeout);
    std::string text = std::to_string(count);
    if (FD_ISSET(pair.fd, &in)) text += " pair";
    if (FD_ISSET(idle.fd, &in)) text += " idle";
    if (with_out && FD_ISSET(idle.fd, &out)) text += " out";
    return text;
  };
  timeval none = {};
  for (int i = 0; i < 100; i++) ASSERT_EQ(select(false, nullptr), "1 pair");
  EXPECT_EQ(select(true, nullptr), "2 pair out");
  EXPECT_EQ(select(true, &none), "2 pair out");
  EXPECT_EQ(pair.receive(), 1U);
  timeval some = {0, 20000};
  EXPECT_EQ(select(false, &some), "0");
  EXPECT_EQ(some.tv_usec, 0);
  idle_rings.used(table.find(idle.fd));  // the wait is in slices from here on
  some = {0, 20000};
  EXPECT_EQ(select(false, &some), "0");
  EXPECT_EQ(some.tv_usec, 0);
  EXPECT_TRUE(pair.marked());
  EXPECT_FALSE(pair.send(1));
  some = {20, 0};
  EXPECT_EQ(select(false, &some), "1 pair");
  EXPECT_GT(some.tv_sec, 0);
}

TEST_F(Readiness, ARingThatFillsWhileItIsLookedAtIsFound) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
  constexpr int kRounds = 3000;
  std::atomic<int> read{0};
  std::thread sender([&] {
    for (int i = 0; i < kRounds; i++) {
      pair.send(1);
      while (read.load() <= i) std::this_thread::yield();
      if (i % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(i % 200));
    }
  });
  for (int i = 0; i < kRounds; i++) {
    if (i % 2 == 0) {
      ASSERT_EQ(set.ready(kLong), "7:1");
    } else {
      pollfd entry = {pair.fd, POLLIN, 0};
      ASSERT_EQ(sockdoc_hook_poll(&entry, 1, kLong), 1);
    }
    ASSERT_EQ(pair.receive(), 1U);
    read++;
  }
  sender.join();
}

}  // namespace
}  // namespace sockdoc::preload
