#include <sys/eventfd.h>
#include <unistd.h>

#include <set>
#include <thread>

#include "readiness.h"
#include "transport/stream_receiver.h"

namespace sockdoc::preload {
namespace {

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

/** The kernel has nothing to tell: the connection is taken out of its set behind libsd. */
TEST_F(Readiness, WhoCanBeWrittenToIsToldWithoutTheKernel) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN | EPOLLOUT, 7), 0);
  epoll_event event = {};
  ASSERT_EQ(::epoll_ctl(set.fd, EPOLL_CTL_DEL, pair.fd, &event), 0);
  EXPECT_EQ(set.ready(kLong), "7:4");
  ASSERT_TRUE(pair.send(1));
  EXPECT_EQ(set.ready(kLong), "7:5");
  EXPECT_EQ(pair.receive(), 1U);
  EXPECT_EQ(set.ready(kLong), "7:4");
  const std::string text(1 << 20, 'x');
  std::size_t sent = 0;
  for (ssize_t put; (put = sockdoc_hook_send(pair.fd, text.data(), text.size(), MSG_DONTWAIT)) > 0;) {
    sent += static_cast<std::size_t>(put);
  }
  EXPECT_EQ(set.ready(), "") << "a send was refused: only the kernel knows";
  std::vector<std::byte> into(1 << 20);
  StreamReceiver from(pair.slot().directions[1], pair.ring(1), KernelStream(pair.peer()));
  while (sent > 0) sent -= from.receive(into).bytes;
  EXPECT_EQ(sockdoc_hook_send(pair.fd, "y", 1, MSG_DONTWAIT), 1);
  EXPECT_EQ(from.receive(into).bytes, 1U);
  EXPECT_EQ(set.ready(kLong), "7:4");
  from.forbid_ring();
  EXPECT_EQ(sockdoc_hook_send(pair.fd, "z", 1, MSG_DONTWAIT), 1);
  EXPECT_EQ(set.ready(), "") << "the kernel holds a byte that the peer has not taken";
  EXPECT_EQ(from.receive(into).bytes, 1U);
  EXPECT_EQ(set.ready(kLong), "7:4");
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

TEST_F(Readiness, WhoWasBusyComesByTheRingAgainOnceSomebodyWoke) {
  RingedPair one;
  RingedPair other;
  const Set set;
  epoll_sets.find(set.fd)->watches.watch_no_more();
  ASSERT_EQ(set.add(one.fd, EPOLLIN, 1), 0);
  ASSERT_EQ(set.add(other.fd, EPOLLIN, 2), 0);
  ASSERT_TRUE(one.send(1));
  ASSERT_TRUE(other.send(1));
  EXPECT_EQ(set.ready(kLong), "1:1 2:1");
  EXPECT_EQ(one.receive() + other.receive(), 2U);
  EXPECT_EQ(set.ready(20), "");
  EXPECT_TRUE(other.marked());
  ASSERT_FALSE(one.send(1));
  EXPECT_EQ(set.ready(kLong), "1:1");
  EXPECT_FALSE(other.marked());
  EXPECT_EQ(one.receive(), 1U);
  EXPECT_EQ(set.ready(20), "");
  ASSERT_FALSE(one.send(1));
  EXPECT_EQ(set.ready(kLong), "1:1");
  EXPECT_TRUE(other.marked()) << "nothing has come by it since";
  EXPECT_EQ(one.receive(), 1U);
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

}  // namespace
}  // namespace sockdoc::preload
