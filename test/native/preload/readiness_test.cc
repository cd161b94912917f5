#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "preload/monitor/link.h"
#include "preload/originals.h"
#include "preload/readiness/set_members.h"
#include "preload/readiness/sets.h"
#include "preload/readiness/user_memory.h"
#include "preload/readiness/waiting.h"
#include "ringed_pair.h"

// The hooks are called by their names, without patches; bytes come by a ring or by the kernel, as the mark says.
namespace sockdoc::preload {
namespace {

constexpr int kSecond = 1000;
constexpr int kLong = 20 * kSecond;  // never reached unless something is broken

class Readiness : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    sockdoc_resolve_originals();
    ASSERT_TRUE(table.start());
    monitor_link.configure("/nonexistent/monitor.sock");
    epoll_sets.start();
    ASSERT_TRUE(epoll_sets.started());
  }
};

TEST(SpinPolicy, DoesNotYieldForAWhileAfterOthersHadTheProcessorForLong) {
  constexpr std::uint64_t kMs = 1000 * kTicksPerUs;
  SpinPolicy policy;
  const std::uint64_t usual = policy.limit(kMs);
  EXPECT_EQ(usual, spin_ticks);
  policy.yielded(kMs, 30 * kTicksPerUs);  // a peer that worked for an answer
  EXPECT_EQ(policy.limit(kMs), usual);
  policy.yielded(10 * kMs, 4 * kMs);
  EXPECT_EQ(policy.limit(12 * kMs), SpinPolicy::kAlone * kTicksPerUs);
  EXPECT_EQ(policy.limit(100 * kMs), usual);
}

class Set {
 public:
  Set() : fd(sockdoc_hook_epoll_create1(EPOLL_CLOEXEC)) {}
  ~Set() { sockdoc_hook_close(fd); }
  int control(int operation, int member, std::uint32_t events, std::uint64_t data) const {
    epoll_event event = {};
    event.events = events;
    event.data.u64 = data;
    return sockdoc_hook_epoll_ctl(fd, operation, member, &event);
  }
  int add(int member, std::uint32_t events, std::uint64_t data) const {
    return control(EPOLL_CTL_ADD, member, events, data);
  }
  int change(int member, std::uint32_t events, std::uint64_t data) const {
    return control(EPOLL_CTL_MOD, member, events, data);
  }
  /** "5:1 7:5": data and events of what is ready, in the order of the data. */
  [[nodiscard]] std::string ready(int timeout = 0, int most = 16) const {
    std::vector<epoll_event> events(static_cast<std::size_t>(most));
    const int count = sockdoc_hook_epoll_wait(fd, events.data(), most, timeout);
    if (count < 0) return "error " + std::to_string(errno);
    std::map<std::uint64_t, std::string> found;
    for (int i = 0; i < count; i++) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      EXPECT_EQ(found.count(event.data.u64), 0U) << "two events of one descriptor";
      found[event.data.u64] = std::to_string(event.data.u64) + ":" + std::to_string(event.events);
    }
    std::string result;
    for (const auto& [data, text] : found) result += (result.empty() ? "" : " ") + text;
    return result;
  }
  int fd;
};

TEST_F(Readiness, EpollTellsOfRingBytesWhileTheyAreThere) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
  EXPECT_EQ(set.ready(), "");
  ASSERT_TRUE(pair.send(10));
  EXPECT_EQ(set.ready(), "7:1");
  EXPECT_EQ(set.ready(kLong), "7:1");
  EXPECT_EQ(pair.receive(4), 4U);
  EXPECT_EQ(set.ready(), "7:1");
  EXPECT_EQ(pair.receive(), 6U);
  EXPECT_EQ(set.ready(), "");
}

TEST_F(Readiness, OneDescriptorIsOneEvent) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN | EPOLLOUT | EPOLLRDNORM, ~std::uint64_t{0}), 0);
  EXPECT_EQ(set.ready(), std::to_string(~std::uint64_t{0}) + ":4");
  ASSERT_TRUE(pair.send(1));
  EXPECT_EQ(set.ready(), std::to_string(~std::uint64_t{0}) + ":" + std::to_string(EPOLLIN | EPOLLOUT | EPOLLRDNORM));
}

TEST_F(Readiness, SleepersAreWokenByTheKernelAndARingGoesOnAfterTheRead) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
  EXPECT_EQ(set.ready(30), "");
  EXPECT_TRUE(pair.marked());
  EXPECT_FALSE(pair.send(5));
  EXPECT_EQ(set.ready(kLong), "7:1");
  EXPECT_TRUE(pair.marked()) << "nobody has read";
  EXPECT_EQ(pair.receive(), 5U);
  EXPECT_FALSE(pair.marked());
  EXPECT_TRUE(pair.send(5));
  EXPECT_EQ(set.ready(kLong), "7:1");
}

TEST_F(Readiness, AnEdgeIsToldOnceForEachArrival) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN | EPOLLET, 7), 0);
  ASSERT_TRUE(pair.send(10));
  EXPECT_EQ(set.ready(), "7:1");
  EXPECT_EQ(set.ready(), "");
  ASSERT_TRUE(pair.send(10));
  EXPECT_EQ(set.ready(), "7:1");
  EXPECT_EQ(pair.receive(), 20U);
  EXPECT_EQ(set.ready(), "");
  ASSERT_TRUE(pair.send(10));
  ASSERT_EQ(set.change(pair.fd, EPOLLIN | EPOLLET, 8), 0);
  EXPECT_EQ(set.ready(), "8:1");
  ASSERT_EQ(set.change(pair.fd, EPOLLIN | EPOLLET, 9), 0);
  EXPECT_EQ(set.ready(), "9:1") << "a change is an edge where something is there";
}

TEST_F(Readiness, AnEdgeBehindUnreadBytesWakesTheSleeper) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN | EPOLLET, 7), 0);
  ASSERT_TRUE(pair.send(10));
  EXPECT_EQ(set.ready(), "7:1");
  EXPECT_EQ(set.ready(20), "");
  EXPECT_FALSE(pair.send(10)) << "it slept, so the kernel is used although the ring is not empty";
  EXPECT_EQ(set.ready(kLong), "7:1");
}

TEST_F(Readiness, OneshotTellsOnceUntilItIsSetAgain) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN | EPOLLONESHOT, 7), 0);
  ASSERT_TRUE(pair.send(10));
  EXPECT_EQ(set.ready(), "7:1");
  EXPECT_EQ(set.ready(), "");
  EXPECT_EQ(set.ready(20), "");
  ASSERT_FALSE(pair.send(10)) << "it slept";
  EXPECT_EQ(set.ready(20), "") << "the kernel's event is the second one";
  ASSERT_EQ(set.change(pair.fd, EPOLLIN | EPOLLONESHOT, 8), 0);
  EXPECT_EQ(set.ready(kLong), "8:1");
  EXPECT_EQ(set.ready(), "");
  EXPECT_EQ(pair.receive(), 10U);
  EXPECT_EQ(pair.receive(), 10U);
  ASSERT_EQ(set.change(pair.fd, EPOLLIN | EPOLLONESHOT, 9), 0);
  EXPECT_EQ(set.ready(), "");
  ASSERT_TRUE(pair.send(1));
  EXPECT_EQ(set.ready(kLong), "9:1");
}

TEST_F(Readiness, AFailedChangeChangesNothing) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN | EPOLLONESHOT, 7), 0);
  EXPECT_EQ(set.add(pair.fd, EPOLLIN, 8), -1);
  EXPECT_EQ(errno, EEXIST);
  ASSERT_TRUE(pair.send(1));
  EXPECT_EQ(set.ready(), "7:1");
  EXPECT_EQ(set.add(pair.fd, EPOLLIN, 8), -1);
  EXPECT_EQ(set.ready(), "");
  EXPECT_EQ(set.control(EPOLL_CTL_DEL, pair.fd, 0, 0), 0);
  EXPECT_EQ(set.change(pair.fd, EPOLLIN, 8), -1);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_EQ(set.ready(), "");
}

TEST_F(Readiness, InterestCanBeTakenAwayAndGiven) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, 0, 7), 0);
  ASSERT_TRUE(pair.send(1));
  EXPECT_EQ(set.ready(), "");
  EXPECT_EQ(set.ready(20), "");
  ASSERT_EQ(set.change(pair.fd, EPOLLIN, 7), 0);
  EXPECT_EQ(set.ready(kLong), "7:1");
}

TEST_F(Readiness, ASleeperIsToldOfWhatComesToItsSet) {
  RingedPair pair;
  RingedPair oneshot;
  const Set set;
  ASSERT_EQ(set.add(oneshot.fd, EPOLLIN | EPOLLONESHOT, 8), 0);
  ASSERT_TRUE(oneshot.send(1));
  ASSERT_EQ(set.ready(), "8:1");
  ASSERT_TRUE(pair.send(1));
  for (int round = 0; round < 2; round++) {
    std::thread other([&] {
      while (!epoll_sets.find(set.fd)->threads.any()) std::this_thread::yield();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      if (round == 0) {
        EXPECT_EQ(set.add(pair.fd, EPOLLIN | EPOLLET, 7), 0);
      } else {
        EXPECT_EQ(set.change(oneshot.fd, EPOLLIN | EPOLLONESHOT, 8), 0);
      }
    });
    EXPECT_EQ(set.ready(kLong), round == 0 ? "7:1" : "8:1");
    other.join();
  }
  EXPECT_EQ(set.ready(), "");
}

TEST_F(Readiness, AReaderDoesNotWakeWhatOthersSleepOn) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
  EXPECT_EQ(set.ready(10), "");
  std::thread other([&] {
    while (!epoll_sets.find(set.fd)->threads.any()) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(pair.receive(), 0U);
    EXPECT_FALSE(pair.send(1));
  });
  EXPECT_EQ(set.ready(kLong), "7:1");
  other.join();
}

TEST_F(Readiness, ManyAreServedInTurnWhereThereIsRoomForOne) {
  constexpr int kPairs = 100;
  std::vector<std::unique_ptr<RingedPair>> pairs;
  const Set set;
  for (int i = 0; i < kPairs; i++) {
    pairs.push_back(std::make_unique<RingedPair>());
    ASSERT_EQ(set.add(pairs.back()->fd, EPOLLIN, static_cast<std::uint64_t>(i)), 0);
    ASSERT_TRUE(pairs.back()->send(1));
  }
  const int event = eventfd(1, 0);
  ASSERT_EQ(set.add(event, EPOLLIN, kPairs), 0);
  std::set<std::string> seen;
  for (int i = 0; i < 4 * kPairs; i++) seen.insert(set.ready(kLong, 1));
  EXPECT_EQ(seen.size(), kPairs + 1U);
  ::close(event);
}

TEST_F(Readiness, WhatOnlyTheKernelKnowsDoesNotStarve) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
  ASSERT_TRUE(pair.send(1));
  const int event = eventfd(1, 0);
  ASSERT_EQ(set.add(event, EPOLLIN, 8), 0);
  int calls = 0;
  while (set.ready(kLong) == "7:1") ASSERT_LT(++calls, 200);
  ::close(event);
}

TEST_F(Readiness, ARegistrationOutlivesItsNumber) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
  const int copy = sockdoc_hook_dup(pair.fd);
  sockdoc_hook_close(pair.fd);
  ASSERT_TRUE(pair.send(1));
  EXPECT_EQ(set.ready(kLong), "7:1");
  pair.fd = copy;
}

TEST_F(Readiness, ASetKnowsItsMembersByEveryNumberOfItsOwn) {
  RingedPair pair;
  const int set = sockdoc_hook_epoll_create1(EPOLL_CLOEXEC);
  const int copy = sockdoc_hook_dup(set);
  epoll_event event = {};
  event.events = EPOLLIN;
  ASSERT_EQ(sockdoc_hook_epoll_ctl(set, EPOLL_CTL_ADD, pair.fd, &event), 0);
  sockdoc_hook_close(set);
  ASSERT_TRUE(pair.send(1));
  EXPECT_EQ(sockdoc_hook_epoll_wait(copy, &event, 1, kLong), 1);
  sockdoc_hook_close(copy);
  EXPECT_EQ(sockdoc_hook_epoll_wait(copy, &event, 1, 0), -1);
  EXPECT_EQ(errno, EBADF);
  const Set again;
  EXPECT_EQ(again.ready(), "") << "the same place of the table, another set";
}

TEST_F(Readiness, MembersOfASetThatWasThereBeforeAreFound) {
  RingedPair pair;
  RingedPair gone;
  const int set = ::epoll_create1(0);  // no hook sees it
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = 0x123456789abcdef0;
  ASSERT_EQ(::epoll_ctl(set, EPOLL_CTL_ADD, pair.fd, &event), 0);
  ASSERT_EQ(::epoll_ctl(set, EPOLL_CTL_ADD, gone.fd, &event), 0);
  const int copy = sockdoc_hook_dup(gone.fd);
  sockdoc_hook_close(gone.fd);
  const int other = ::open("/dev/null", O_RDONLY);
  ASSERT_EQ(other, gone.fd);
  gone.fd = copy;
  ASSERT_TRUE(pair.send(1));
  event = {};
  EXPECT_EQ(sockdoc_hook_epoll_wait(set, &event, 1, kLong), 1);
  EXPECT_EQ(event.data.u64, 0x123456789abcdef0U);
  EXPECT_TRUE(gone.marked()) << "its registration cannot be followed";
  ::close(other);
  sockdoc_hook_close(set);
}

TEST_F(Readiness, WhatCannotBeFollowedStaysOnTheKernel) {
  RingedPair nested;
  RingedPair polled;
  RingedPair twice;
  RingedPair exclusive;
  RingedPair same;
  const Set outer;
  const Set inner;
  ASSERT_EQ(inner.add(nested.fd, EPOLLIN, 1), 0);
  EXPECT_FALSE(nested.marked());
  ASSERT_EQ(outer.add(inner.fd, EPOLLIN, 2), 0);
  EXPECT_TRUE(nested.marked());
  EXPECT_FALSE(nested.send(1));
  EXPECT_EQ(outer.ready(kLong), "2:1");
  EXPECT_EQ(nested.receive(), 1U);
  EXPECT_TRUE(nested.marked()) << "for good";

  const Set watched;
  ASSERT_EQ(watched.add(polled.fd, EPOLLIN, 1), 0);
  pollfd entry = {watched.fd, POLLIN, 0};
  EXPECT_EQ(sockdoc_hook_poll(&entry, 1, 0), 0);
  EXPECT_TRUE(polled.marked());

  const int copy = sockdoc_hook_dup(twice.fd);
  ASSERT_EQ(watched.add(twice.fd, EPOLLIN, 3), 0);
  ASSERT_EQ(inner.add(twice.fd, EPOLLIN, 3), 0);
  ASSERT_EQ(inner.add(copy, EPOLLIN, 4), 0);
  EXPECT_TRUE(twice.marked());
  sockdoc_hook_close(copy);
  const Set plain;
  ASSERT_EQ(plain.add(exclusive.fd, EPOLLIN | EPOLLEXCLUSIVE, 5), 0);
  EXPECT_TRUE(exclusive.marked());
  RingedPair first;
  ASSERT_EQ(plain.add(first.fd, EPOLLIN | EPOLLONESHOT, 6), 0);
  EXPECT_FALSE(first.marked());
  ASSERT_EQ(plain.add(same.fd, EPOLLIN | EPOLLONESHOT, 6), 0);
  EXPECT_TRUE(same.marked());
  EXPECT_TRUE(first.marked());
}

TEST_F(Readiness, WhatRingsStillHoldIsSeenThroughASet) {
  RingedPair pair;
  const Set outer;
  const Set inner;
  ASSERT_EQ(inner.add(pair.fd, EPOLLIN, 1), 0);
  ASSERT_TRUE(pair.send(2));
  ASSERT_EQ(outer.add(inner.fd, EPOLLIN, 2), 0);
  EXPECT_EQ(outer.ready(), "2:1");
  EXPECT_EQ(outer.ready(kLong), "2:1");
  pollfd entry = {outer.fd, POLLIN, 0};
  EXPECT_EQ(sockdoc_hook_poll(&entry, 1, kLong), 1);
  EXPECT_EQ(entry.revents, POLLIN);
  EXPECT_EQ(inner.ready(), "1:1");
  EXPECT_EQ(pair.receive(), 2U);
  EXPECT_EQ(outer.ready(10), "");
  EXPECT_EQ(sockdoc_hook_poll(&entry, 1, 10), 0);
  EXPECT_FALSE(pair.send(1));
  EXPECT_EQ(outer.ready(kLong), "2:1");
}

TEST_F(Readiness, ASetThatAChildUsesStaysOnTheKernel) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
  const pid_t child = sockdoc_hook_fork();
  if (child == 0) _exit(set.ready().empty() ? 0 : 1);
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(set.ready(), "");
  EXPECT_TRUE(pair.marked());
}

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

TEST_F(Readiness, ThreadsShareASetOfOneshots) {
  constexpr int kPairs = 8;
  constexpr int kRounds = 500;
  std::vector<std::unique_ptr<RingedPair>> pairs;
  std::vector<std::atomic<int>> inside(kPairs);
  std::vector<std::atomic<int>> got(kPairs);
  std::atomic<int> total{0};
  const Set set;
  for (int i = 0; i < kPairs; i++) {
    pairs.push_back(std::make_unique<RingedPair>());
    ASSERT_EQ(set.add(pairs.back()->fd, EPOLLIN | EPOLLONESHOT, static_cast<std::uint64_t>(i)), 0);
  }
  const int end = eventfd(0, EFD_NONBLOCK);
  ASSERT_EQ(set.add(end, EPOLLIN, kPairs), 0);
  const auto work = [&] {
    for (;;) {
      epoll_event event = {};
      ASSERT_EQ(sockdoc_hook_epoll_wait(set.fd, &event, 1, kLong), 1);
      const auto i = static_cast<std::size_t>(event.data.u64);
      if (i == kPairs) return;
      ASSERT_EQ(inside[i]++, 0) << "two threads serve one descriptor";
      const int bytes = static_cast<int>(pairs[i]->receive(3));
      got[i] += bytes;
      inside[i]--;
      ASSERT_EQ(set.change(pairs[i]->fd, EPOLLIN | EPOLLONESHOT, i), 0);
      if ((total += bytes) == kPairs * kRounds) {
        const std::uint64_t one = 1;
        ASSERT_EQ(::write(end, &one, sizeof one), 8);
      }
    }
  };
  std::thread first(work);
  std::thread second(work);
  for (int round = 0; round < kRounds; round++) {
    for (int i = 0; i < kPairs; i++) {
      pairs[static_cast<std::size_t>(i)]->send(1);
      while (got[static_cast<std::size_t>(i)] + 5 < round) std::this_thread::yield();
    }
  }
  first.join();
  second.join();
  ::close(end);
}

TEST_F(Readiness, BadPointersFailAsInTheKernel) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
  ASSERT_TRUE(pair.send(1));
  void* wall = ::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int timeout : {0, kLong}) {
    EXPECT_EQ(sockdoc_hook_epoll_wait(set.fd, static_cast<epoll_event*>(wall), 1, timeout), -1);
    EXPECT_EQ(errno, EFAULT);
    EXPECT_EQ(sockdoc_hook_poll(static_cast<pollfd*>(wall), 1, timeout), -1);
    EXPECT_EQ(errno, EFAULT);
  }
  timeval none = {};
  EXPECT_EQ(sockdoc_hook_select(pair.fd + 1, static_cast<fd_set*>(wall), nullptr, nullptr, &none), -1);
  EXPECT_EQ(errno, EFAULT);
  epoll_event event = {};
  EXPECT_EQ(sockdoc_hook_epoll_wait(set.fd, &event, 0, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(sockdoc_hook_epoll_wait(set.fd, &event, 1, kLong), 1) << "it was not lost";
  ::munmap(wall, 4096);
}

TEST_F(Readiness, SignalsEndAWait) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;
  ASSERT_EQ(::sigaction(SIGUSR1, &action, nullptr), 0);
  const pthread_t me = pthread_self();
  const auto interrupted = [&](auto wait) {
    EXPECT_EQ(pair.receive(), 0U);
    EXPECT_FALSE(pair.marked());
    std::atomic<bool> done{false};
    std::thread other([&] {
      while (!done) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        pthread_kill(me, SIGUSR1);
      }
    });
    errno = 0;
    EXPECT_EQ(wait(), -1);
    EXPECT_EQ(errno, EINTR);
    done = true;
    other.join();
  };
  epoll_event event = {};
  pollfd entry = {pair.fd, POLLIN, 0};
  interrupted([&] { return sockdoc_hook_epoll_wait(set.fd, &event, 1, -1); });
  interrupted([&] { return sockdoc_hook_poll(&entry, 1, -1); });
  interrupted([&] {
    fd_set in;
    FD_ZERO(&in);
    FD_SET(pair.fd, &in);
    return sockdoc_hook_select(pair.fd + 1, &in, nullptr, nullptr, nullptr);
  });
}

TEST_F(Readiness, AMaskLetsASignalInThatWaits) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  ASSERT_EQ(::sigaction(SIGUSR2, &action, nullptr), 0);
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR2);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &blocked, &before), 0);
  epoll_event event = {};
  pollfd entry = {pair.fd, POLLIN, 0};
  pthread_kill(pthread_self(), SIGUSR2);
  EXPECT_EQ(sockdoc_hook_epoll_pwait(set.fd, &event, 1, kLong, &before), -1);
  EXPECT_EQ(errno, EINTR);
  pthread_kill(pthread_self(), SIGUSR2);
  EXPECT_EQ(sockdoc_hook_ppoll(&entry, 1, nullptr, &before), -1);
  EXPECT_EQ(errno, EINTR);
  ASSERT_EQ(pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
}

TEST_F(Readiness, SyscallDoesAsTheFunctions) {
  RingedPair pair;
  const long set = sockdoc_hook_syscall(SYS_epoll_create1, EPOLL_CLOEXEC, 0, 0, 0, 0, 0);
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = 7;
  const auto where = reinterpret_cast<long>(&event);
  ASSERT_EQ(sockdoc_hook_syscall(SYS_epoll_ctl, set, EPOLL_CTL_ADD, pair.fd, where, 0, 0), 0);
  ASSERT_TRUE(pair.send(1));
  EXPECT_EQ(sockdoc_hook_syscall(SYS_epoll_wait, set, where, 1, kLong, 0, 0), 1);
  EXPECT_EQ(sockdoc_hook_syscall(SYS_epoll_pwait, set, where, 1, kLong, 0, 8), 1);
  timespec time = {20, 0};
  EXPECT_EQ(sockdoc_hook_syscall(SYS_epoll_pwait2, set, where, 1, reinterpret_cast<long>(&time), 0, 8), 1);
  pollfd entry = {pair.fd, POLLIN, 0};
  EXPECT_EQ(sockdoc_hook_syscall(SYS_poll, reinterpret_cast<long>(&entry), 1, kLong, 0, 0, 0), 1);
  EXPECT_EQ(sockdoc_hook_syscall(SYS_ppoll, reinterpret_cast<long>(&entry), 1, reinterpret_cast<long>(&time), 0, 8, 0),
            1);
  EXPECT_EQ(pair.receive(), 1U);
  time = {0, 10'000'000};
  EXPECT_EQ(sockdoc_hook_syscall(SYS_ppoll, reinterpret_cast<long>(&entry), 1, reinterpret_cast<long>(&time), 0, 8, 0),
            0);
  EXPECT_EQ(time.tv_nsec, 0) << "the kernel writes there what was left";
  EXPECT_EQ(sockdoc_hook_syscall(SYS_epoll_wait, set, where, 1, 0, 0, 0), 0);
  sockdoc_hook_close(static_cast<int>(set));
}

TEST(MemberLines, AreReadInAnyPieces) {
  const std::string text =
      "pos:\t0\nflags:\t02\nmnt_id:\t15\nino:\t1057\n"
      "tfd:        5 events:       19 data:                5  pos:0 ino:61 sdev:5\n"
      "tfd:     1234 events: 80000001 data: ffffffffffffffff  pos:0 ino:1a2b3c sdev:8\n";
  for (std::size_t piece = 1; piece <= text.size(); piece++) {
    MemberLines lines;
    std::string found;
    for (std::size_t at = 0; at < text.size(); at += piece) {
      const std::string part = text.substr(at, piece);
      lines.take(part.data(), static_cast<long>(part.size()),
                 [&](int fd, std::uint64_t inode, const epoll_event& event) {
                   found += std::to_string(fd) + "," + std::to_string(inode) + "," + std::to_string(event.events) +
                            "," + std::to_string(event.data.u64) + ";";
                 });
    }
    ASSERT_EQ(found, "5,97,25,5;1234,1715004,2147483649,18446744073709551615;");
  }
}

TEST(Timeouts, AreCountedDown) {
  EXPECT_EQ(Timeout::ms(-5).in_ms(), -1);
  EXPECT_TRUE(Timeout::ms(-5).endless());
  EXPECT_TRUE(Timeout::ms(0).zero());
  EXPECT_EQ(Timeout::ns(1).in_ms(), 1) << "never shorter than asked for";
  const timespec years = {1L << 60, 0};
  EXPECT_EQ(Timeout::of(&years).in_ms(), 0x7fffffff);
  Timeout soon = Timeout::ns(1000);
  soon.pass();
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  soon.pass();
  EXPECT_TRUE(soon.zero());
}

}  // namespace
}  // namespace sockdoc::preload
