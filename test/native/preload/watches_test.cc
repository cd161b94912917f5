#include "preload/readiness/watches.h"

#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "preload/thread.h"
#include "watched.h"

namespace sockdoc::preload {
namespace {

TEST_F(Watched, OneOfThemWakesAndTheOthersGoOnByTheirRings) {
  const int place = fall_asleep();
  for (unsigned i = 0; i < kMany; i++) EXPECT_TRUE(watched(i)) << i;
  EXPECT_FALSE(send(3)) << "it wakes";
  EXPECT_TRUE(send(1));
  EXPECT_TRUE(send(3)) << "the same once more";
  wake_up(place);
  EXPECT_EQ(set_.ready(), "1:1 3:1");
  EXPECT_TRUE(receive(1));
  EXPECT_TRUE(receive(3));
  EXPECT_TRUE(receive(3));
  EXPECT_FALSE(receive(3));
}

TEST_F(Watched, WhoWakesBySomethingElseNeedNotBeWoken) {
  wake_up(fall_asleep());
  for (unsigned i = 0; i < kMany; i++) EXPECT_TRUE(send(i)) << i;
  EXPECT_EQ(set_.ready(), "0:1 1:1 2:1 3:1 4:1 5:1");
}

TEST_F(Watched, OneAloneIsNot) {
  for (unsigned i = 1; i < kMany; i++) ASSERT_EQ(set_.control(EPOLL_CTL_DEL, pairs_[i].in, 0, 0), 0);
  for (int sleeps = 0; sleeps < 3; sleeps++) {
    move_bytes();
    const int place = set().threads.enter();
    const bool any = set().mark_all(set_.fd, place, true);
    EXPECT_EQ(any, sleeps == 0) << "as long as there were several the last time";
    wake_up(place);
  }
}

TEST_F(Watched, EachSleepHasToBeEnded) {
  const int place = fall_asleep();
  EXPECT_FALSE(send(0));
  wake_up(place);
  EXPECT_TRUE(receive(0));
  const int again = fall_asleep();
  EXPECT_FALSE(send(1));
  EXPECT_TRUE(send(0));
  wake_up(again);
}

TEST_F(Watched, WhatNothingComesToIsNotWatchedForLong) {
  int place = fall_asleep();
  for (int sleeps = 0; sleeps < 20; sleeps++) {
    wake_up(place);
    for (const unsigned busy : {2U, 3U}) {
      EXPECT_TRUE(send(busy));
      EXPECT_TRUE(receive(busy));
    }
    place = set().threads.enter();
    (void)set().mark_all(set_.fd, place, true);
  }
  EXPECT_TRUE(watched(2));
  EXPECT_FALSE(watched(1));
  EXPECT_FALSE(send(2)) << "it wakes";
  EXPECT_FALSE(send(1)) << "it is the kernel's until it is read";
  wake_up(place);
}

TEST_F(Watched, OnlyWhatMakesTheSetReadyIsWatched) {
  const Set other;
  ASSERT_EQ(other.add(pairs_[1].in, EPOLLIN, 1), 0);
  ASSERT_EQ(set_.change(pairs_[2].in, EPOLLOUT, 2), 0);
  ASSERT_EQ(set_.change(pairs_[3].in, EPOLLIN | EPOLLONESHOT, 3), 0);
  ASSERT_EQ(set_.control(EPOLL_CTL_DEL, pairs_[4].in, 0, 0), 0);
  sleepers.add(table.find(pairs_[5].in).index());
  const int place = fall_asleep();
  EXPECT_TRUE(watched(0));
  for (unsigned i = 1; i < kMany; i++) EXPECT_FALSE(watched(i)) << i;
  wake_up(place);
  sleepers.remove(table.find(pairs_[5].in).index());
}

TEST_F(Watched, AnotherThreadThatSleepsOnTheSetIsWokenByEach) {
  const int first = fall_asleep();
  std::thread([&] {
    const int second = set().threads.enter();
    EXPECT_FALSE(set().mark_all(set_.fd, second, true));
    for (unsigned i = 0; i < kMany; i++) EXPECT_FALSE(watched(i)) << i;
    EXPECT_FALSE(send(1));
    EXPECT_FALSE(send(2));
    set().threads.leave(second);
  }).join();
  wake_up(first);
}

TEST_F(Watched, WhoSleepsOnOneOfThemIsWokenByIt) {
  const int place = fall_asleep();
  Connection* one = connection_of(table.find(pairs_[2].in));
  ASSERT_TRUE(one->let_kernel_wake(table.find(pairs_[2].in).word()));
  EXPECT_FALSE(send(0)) << "it wakes the other";
  EXPECT_FALSE(send(2));
  one->awake(table.find(pairs_[2].in).word());
  wake_up(place);
}

/** What becomes of the sleeper whom A's bytes were to wake, while B goes by its ring. */
class Disturbed : public Watched {
 protected:
  /** `what` is done by another thread once A's bytes are with the kernel; whether the sleeper is woken. */
  template <typename What>
  void expect_woken(What what) {
    const int place = fall_asleep();
    EXPECT_FALSE(send(0));
    EXPECT_TRUE(send(1));
    std::thread(what).join();
    // The kernel says something to him who sleeps there, which is not the program's.
    epoll_event event = {};
    EXPECT_EQ(::epoll_wait(set_.fd, &event, 1, 0), 1);
    EXPECT_EQ(event.data.u64, EpollSets::bell_data());
    wake_up(place);
    EXPECT_FALSE(set().watches.may_watch());
    EXPECT_EQ(set_.ready(), "1:1");
  }
};

TEST_F(Disturbed, ByWhoReads) {
  expect_woken([&] { EXPECT_TRUE(receive(0)); });
}

TEST_F(Disturbed, ByWhoTakesItOut) {
  expect_woken([&] { EXPECT_EQ(set_.control(EPOLL_CTL_DEL, pairs_[0].in, 0, 0), 0); });
}

TEST_F(Disturbed, ByWhoWantsToHearNoMoreOfIt) {
  expect_woken([&] { EXPECT_EQ(set_.change(pairs_[0].in, 0, 0), 0); });
}

TEST_F(Disturbed, ByWhoCloses) {
  expect_woken([&] { EXPECT_EQ(sockdoc_hook_close(std::exchange(pairs_[0].in, -1)), 0); });
}

TEST_F(Disturbed, ByWhoWaitsToo) {
  EXPECT_EQ(set_.ready(), "");
  const int place = fall_asleep();
  std::thread([&] { EXPECT_EQ(set_.ready(), ""); }).join();
  epoll_event event = {};
  EXPECT_EQ(::epoll_wait(set_.fd, &event, 1, 0), 1);
  EXPECT_EQ(event.data.u64, EpollSets::bell_data());
  wake_up(place);
  EXPECT_FALSE(set().watches.may_watch());
  const int again = set().threads.enter();
  EXPECT_FALSE(set().mark_all(set_.fd, again, true));
  for (unsigned i = 0; i < kMany; i++) EXPECT_FALSE(watched(i)) << i;
  set().threads.leave(again);
}

/** By a signal handler that forks while its thread sleeps: the memory is not there in the child. */
TEST_F(Watched, AChildHasNothingToEnd) {
  const int place = fall_asleep();
  const pid_t child = ::fork();
  if (child == 0) {
    (void)table.mine();
    set().end_sleep(true);
    ::_exit(0);
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  wake_up(place);
}

TEST_F(Watched, ASetThatAForkHadComesBackWhereNothingOfItChanges) {
  const pid_t child = sockdoc_hook_fork();
  if (child == 0) ::_exit(0);
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_FALSE(set().may_defer());
  for (int waits = 0; waits < 1000 && !set().may_defer(); waits++) EXPECT_EQ(set_.ready(5), "");
  EXPECT_TRUE(set().may_defer());
}

TEST_F(Readiness, WhereThreadsShareASetEachSleepsAsLongAsItAsked) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
  timespec used = {};
  std::atomic<bool> done{false};
  std::thread sleeper([&] {
    EXPECT_EQ(set.ready(kSecond), "");
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    done = true;
  });
  while (!epoll_sets.find(set.fd)->threads.any() && !done) ::usleep(1000);
  for (int looks = 0; looks < 3; looks++) {
    EXPECT_EQ(set.ready(), "");
    ::usleep(10'000);
  }
  sleeper.join();
  EXPECT_EQ(used.tv_sec, 0);
  EXPECT_LT(used.tv_nsec, 200'000'000) << "it was kicked again and again";
}

TEST_F(Watched, AClosedSetKeepsNoWatch) {
  wake_up(fall_asleep());
  EXPECT_TRUE(watched(0));
  EXPECT_EQ(sockdoc_hook_close(std::exchange(set_.fd, sockdoc_hook_epoll_create1(EPOLL_CLOEXEC))), 0);
  for (unsigned i = 0; i < kMany; i++) EXPECT_FALSE(watched(i)) << i;
}

TEST_F(Watched, NobodySleepsWhileThereAreBytes) {
  EXPECT_GT(exchange(60'000), kMany * 4U) << "nothing went by the rings";
}

}  // namespace
}  // namespace sockdoc::preload
