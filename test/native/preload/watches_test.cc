#include "preload/readiness/watches.h"

#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <random>
#include <thread>

#include "monitor/slab.h"
#include "preload/thread.h"
#include "readiness.h"

namespace sockdoc::preload {
namespace {

constexpr unsigned kMany = 6;

/** Several connections of which this process has both ends, in one slab; the second ends are in an epoll set. */
class Watched : public Readiness {
 protected:
  struct Pair {
    int out = -1;
    int in = -1;
  };

  void SetUp() override {
    longest_watch_ns = std::int64_t{10} * kLong * 1'000'000;  // so that what is not woken is seen
    static std::uint64_t slabs = 0x77000000;
    auto slab = monitor::Slab::make(++slabs, kMany, kRingBytes);
    ASSERT_TRUE(slab.ok());
    for (unsigned i = 0; i < kMany; i++) {
      connect(pairs_[i]);
      for (std::uint32_t end = 0; end < 2; end++)
        share(end == 0 ? pairs_[i].out : pairs_[i].in, {slabs, i, end}, slab.value()->memory());
      for (int turn = 0; turn < 2; turn++) {
        char byte = 0;
        ASSERT_EQ(sockdoc_hook_send(pairs_[i].out, "w", 1, 0), 1);
        ASSERT_EQ(sockdoc_hook_recv(pairs_[i].in, &byte, 1, 0), 1);
        ASSERT_EQ(sockdoc_hook_send(pairs_[i].in, "w", 1, 0), 1);
        ASSERT_EQ(sockdoc_hook_recv(pairs_[i].out, &byte, 1, 0), 1);
      }
      ASSERT_EQ(set_.add(pairs_[i].in, EPOLLIN, i), 0);
    }
    // In the first sleep it is not known that there are several.
    move_bytes();
    const int place = set().threads.enter();
    EXPECT_FALSE(set().mark_all(set_.fd, place, true));
    wake_up(place);
  }
  void TearDown() override {
    longest_watch_ns = 100'000'000;
    for (const Pair& pair : pairs_) {
      sockdoc_hook_close(pair.out);
      sockdoc_hook_close(pair.in);
    }
  }

  [[nodiscard]] EpollSet& set() const { return *epoll_sets.find(set_.fd); }
  /** As a thread that goes to sleep; each has received something since the last time. */
  int fall_asleep() {
    move_bytes();
    const int place = set().threads.enter();
    EXPECT_TRUE(set().mark_all(set_.fd, place, true));
    return place;
  }
  void move_bytes() const {
    for (const Pair& pair : pairs_) {
      char byte = 0;
      EXPECT_EQ(sockdoc_hook_send(pair.out, "x", 1, 0), 1);
      EXPECT_EQ(sockdoc_hook_recv(pair.in, &byte, 1, 0), 1);
    }
  }
  void wake_up(int place) {
    set().end_sleep(true);
    set().threads.leave(place);
  }
  /** A byte from the peer; whether it went by the ring. */
  [[nodiscard]] bool send(unsigned pair) const {
    const auto ringed = [&] { return connection_of(table.find(pairs_[pair].out))->by_ring().first; };
    const std::uint64_t before = ringed();
    EXPECT_EQ(sockdoc_hook_send(pairs_[pair].out, "y", 1, 0), 1);
    return ringed() != before;
  }
  [[nodiscard]] bool receive(unsigned pair) const {
    char byte = 0;
    return sockdoc_hook_recv(pairs_[pair].in, &byte, 1, MSG_DONTWAIT) == 1;
  }
  [[nodiscard]] bool watched(unsigned pair) const { return connection_of(table.find(pairs_[pair].in))->is_watched(); }

  std::array<Pair, kMany> pairs_;
  Set set_;

 private:
  static constexpr std::uint32_t kRingBytes = abi::kMinRingBytes;

  static void connect(Pair& pair) {
    const int listener = sockdoc_hook_socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    ASSERT_EQ(::bind(listener, generic, length), 0);
    ASSERT_EQ(sockdoc_hook_listen(listener, 1), 0);
    ASSERT_EQ(::getsockname(listener, generic, &length), 0);
    pair.out = sockdoc_hook_socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(sockdoc_hook_connect(pair.out, generic, length), 0);
    pair.in = sockdoc_hook_accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    ASSERT_GE(pair.in, 0);
    sockdoc_hook_close(listener);
  }
  /** `which`: the slab, the slot in it, and the end. */
  static void share(int fd, std::array<std::uint64_t, 3> which, int memory) {
    const abi::Place place = {.connection = which[0] * kMany + which[1],
                              .slab = which[0],
                              .generation = which[0],
                              .slot = static_cast<std::uint32_t>(which[1]),
                              .end = static_cast<std::uint32_t>(which[2]),
                              .slots = kMany,
                              .ring_bytes = kRingBytes};
    share_memory(fd, place, memory);
  }
};

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

/** Bytes that say their place; a sleeper who is not woken waits for longer than the test. */
void answer(const Set& set, const std::array<int, kMany>& in, int messages) {
  std::mt19937 random(5);
  std::array<epoll_event, kMany> events;
  std::array<unsigned char, kMany> next = {};
  for (int seen = 0; seen < messages;) {
    const int count = sockdoc_hook_epoll_wait(set.fd, events.data(), 1 + static_cast<int>(random() % kMany), kLong);
    ASSERT_GT(count, 0) << "nobody was woken";
    for (int i = 0; i < count; i++) {
      const auto which = static_cast<unsigned>(events[static_cast<std::size_t>(i)].data.u64);
      std::array<unsigned char, 64> bytes;
      const ssize_t got = sockdoc_hook_recv(in[which], bytes.data(), 1 + random() % bytes.size(), MSG_DONTWAIT);
      ASSERT_GT(got, 0);
      for (ssize_t at = 0; at < got; at++) ASSERT_EQ(bytes[static_cast<std::size_t>(at)], next[which]++);
      seen += static_cast<int>(got);
    }
    if (random() % 8 == 0) {
      const unsigned which = static_cast<unsigned>(random() % kMany);
      ASSERT_EQ(set.change(in[which], EPOLLIN | (random() % 2 == 0 ? EPOLLRDHUP : 0U), which), 0);
    }
    for (auto turns = static_cast<unsigned>(random() % 4 == 0 ? random() % 2000 : 0); turns > 0; turns--)
      __builtin_ia32_pause();
  }
}

TEST_F(Watched, NobodySleepsWhileThereAreBytes) {
  constexpr int kMessages = 60'000;
  set_spinning_us(0);  // a sleep for each wait
  std::array<int, kMany> in;
  for (unsigned i = 0; i < kMany; i++) in[i] = pairs_[i].in;
  std::thread reader([&] { answer(set_, in, kMessages); });
  std::mt19937 random(3);
  std::array<unsigned char, kMany> next = {};
  std::uint64_t ringed = 0;
  for (int sent = 0; sent < kMessages && !HasFailure();) {
    const unsigned which = static_cast<unsigned>(random() % kMany);
    const auto bytes = std::min<int>(kMessages - sent, random() % 4 == 0 ? 1 + static_cast<int>(random() % 200) : 1);
    std::vector<unsigned char> message(static_cast<std::size_t>(bytes));
    for (unsigned char& byte : message) byte = next[which]++;
    ASSERT_EQ(sockdoc_hook_send(pairs_[which].out, message.data(), message.size(), 0), bytes);
    sent += bytes;
    for (auto turns = static_cast<unsigned>(random() % (random() % 16 == 0 ? 20'000 : 50)); turns > 0; turns--) {
      __builtin_ia32_pause();
    }
  }
  reader.join();
  for (const Pair& pair : pairs_) ringed += connection_of(table.find(pair.out))->by_ring().first;
  EXPECT_GT(ringed, kMany * 4U) << "nothing went by the rings";
  set_spinning_us(kDefaultSpinUs);
}

}  // namespace
}  // namespace sockdoc::preload
