#include "preload/connection/bell.h"

#include <poll.h>
#include <sched.h>

#include <csignal>
#include <functional>
#include <thread>

#include "preload/readiness/waiting.h"
#include "readiness.h"

namespace sockdoc::preload {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kHang = std::chrono::seconds(20);
constexpr std::uint64_t kMuch = 100 * BellPolicy::kCost;

void prefer_bells(bool bells) {
  for (int i = 0; i < 100; i++) bell_policy.yielded(bells ? kMuch : 0);
}

TEST(BellPolicy, PrefersBellsWhereYieldsAreWastedAgainAndAgain) {
  BellPolicy policy;
  EXPECT_FALSE(policy.bells());
  policy.yielded(kMuch);
  EXPECT_FALSE(policy.bells()) << "after a single long wait";
  for (int i = 0; i < 1000; i++) policy.yielded(BellPolicy::kCost / 2);
  EXPECT_FALSE(policy.bells());
  for (int i = 0; i < 16; i++) policy.yielded(2 * BellPolicy::kCost);
  EXPECT_TRUE(policy.bells());
}

TEST(BellPolicy, TriesYieldsNowAndThenAndGoesBackToThem) {
  BellPolicy policy;
  for (int i = 0; i < 100; i++) policy.yielded(kMuch);
  const auto yields = [&] {
    std::uint32_t count = 0;
    for (std::uint32_t i = 0; i < BellPolicy::kTrials; i++) count += policy.bells() ? 0 : 1;
    return count;
  };
  EXPECT_EQ(yields(), 1U);
  policy.yielded(kMuch);
  EXPECT_EQ(yields(), 1U) << "a trial that wasted as much";
  policy.yielded(BellPolicy::kCost / 4);
  EXPECT_EQ(yields(), BellPolicy::kTrials);
}

class Bell : public Readiness {
 protected:
  RingedPair pair_;

  void SetUp() override { ASSERT_EQ(::sched_getaffinity(0, sizeof processors_, &processors_), 0); }
  void TearDown() override {
    prefer_bells(false);
    EXPECT_EQ(::sched_setaffinity(0, sizeof processors_, &processors_), 0);
  }

  /** The calling thread and the peer share a processor, as far as libsd knows. */
  static void be_with(const RingedPair& pair) {
    const int cpu = ::sched_getcpu();
    cpu_set_t alone;
    CPU_ZERO(&alone);
    CPU_SET(cpu, &alone);
    ASSERT_EQ(::sched_setaffinity(0, sizeof alone, &alone), 0);
    pair.slot().ends[0].cpu = static_cast<std::uint32_t>(cpu) + 1;
  }
  static std::atomic<std::uint32_t>& bell_of(const RingedPair& pair) { return pair.slot().ends[1].bell; }

  /** Has `wait` made again and again by a thread that prefers bells, until it has come to that one. */
  static bool comes_to_bell(const RingedPair& pair, const std::function<void()>& wait) {
    std::thread waiter([&] {
      be_with(pair);
      const auto start = Clock::now();
      while (bell_of(pair) == 0 && Clock::now() - start < kHang) {
        (void)pair.receive();  // awake again, if it was asleep
        spin_policy.ended(true);
        prefer_bells(true);
        wait();
      }
    });
    waiter.join();
    return bell_of(pair).exchange(0) != 0;
  }
  static int select_once(int fd) {
    fd_set in;
    FD_ZERO(&in);
    FD_SET(fd, &in);
    timeval moment = {0, 20000};
    return sockdoc_hook_select(fd + 1, &in, nullptr, nullptr, &moment);
  }

 private:
  cpu_set_t processors_ = {};
};

TEST_F(Bell, IsWhereWaitsForAPeerOnTheSameProcessorSleepIfYieldsAreWasted) {
  pollfd entry = {pair_.fd, POLLIN, 0};
  EXPECT_TRUE(comes_to_bell(pair_, [&] { EXPECT_EQ(sockdoc_hook_poll(&entry, 1, 20), 0); }));
  EXPECT_TRUE(comes_to_bell(pair_, [&] { EXPECT_EQ(select_once(pair_.fd), 0); }));
}

TEST_F(Bell, SeveralAreWaitedForTogether) {
  RingedPair other;
  pollfd entries[2] = {{pair_.fd, POLLIN, 0}, {other.fd, POLLIN, 0}};
  bool both = false;
  EXPECT_TRUE(comes_to_bell(pair_, [&] {
    (void)other.receive();
    EXPECT_EQ(sockdoc_hook_poll(entries, 2, 20), 0);
    both = both || bell_of(other) != 0;
  }));
  EXPECT_TRUE(both);

  std::atomic<std::uint32_t> bells[2] = {1, 1};
  const BellToWaitAt words[2] = {to_wait_at(bells[0]), to_wait_at(bells[1])};
  std::atomic<AtBells> ended{AtBells::late};
  std::thread waiter([&] { ended = await_bells(words, 2, 900'000'000); });
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  bells[1] = 0;
  ring_bell(bells[1]);
  waiter.join();
  if (ended == AtBells::unknown) GTEST_SKIP() << "this kernel has no futex_waitv(2)";
  EXPECT_EQ(ended, AtBells::rung);
  EXPECT_EQ(await_bells(words, 2, 900'000'000), AtBells::rung) << "before";
  bells[1] = 1;
  EXPECT_EQ(await_bells(words, 2, 1'000'000), AtBells::late);
}

TEST_F(Bell, IsNotWaitedAtWhereThingsComeThatDoNotRing) {
  RingedPair marked;
  be_with(pair_);
  const auto has_bells = [&](auto... sockets) {
    Peers peers(true);
    (peers.add(sockets), ...);
    return peers.have_bells();
  };
  const Handle here = table.find(pair_.fd);
  EXPECT_TRUE(has_bells(here));
  connection_of(table.find(marked.fd))->mark(table.find(marked.fd));
  EXPECT_FALSE(has_bells(here, table.find(marked.fd))) << "what comes goes by the kernel";
  EXPECT_FALSE(has_bells(here, Handle())) << "the kernel's own socket";
  EXPECT_FALSE(has_bells());
  Peers with_others(true);
  with_others.add(here);
  with_others.add_others();
  EXPECT_FALSE(with_others.have_bells());
  Peers yielding(false);
  yielding.add(here);
  EXPECT_FALSE(yielding.have_bells());
  EXPECT_TRUE(yielding.beside());
}

TEST_F(Bell, IsRungByEachSendAndByTheEnd) {
  std::atomic<std::uint32_t>& bell = pair_.slot().ends[0].bell;  // where the peer waits
  const auto rings = [&](auto act) {
    bell = 1;
    const BellToWaitAt word = to_wait_at(bell);
    std::atomic<AtBells> ended{AtBells::late};
    std::thread waiter([&] { ended = await_bells(&word, 1, 900'000'000); });
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    act();
    EXPECT_EQ(bell, 0U);
    waiter.join();
    EXPECT_EQ(ended, AtBells::rung);
  };
  for (int i = 0; i < 3; i++) {
    rings([&] { EXPECT_EQ(sockdoc_hook_send(pair_.fd, "x", 1, 0), 1); });
  }
  const std::string more_than_the_ring(40000, 'x');
  rings([&] { EXPECT_EQ(sockdoc_hook_send(pair_.fd, more_than_the_ring.data(), 40000, 0), 40000); });
  pair_.slot().directions[1].sender.ring_tail.fetch_or(abi::kKernelWanted);  // the peer sleeps: by the kernel
  rings([&] { EXPECT_EQ(sockdoc_hook_send(pair_.fd, "x", 1, 0), 1); });
  rings([&] { EXPECT_EQ(sockdoc_hook_shutdown(pair_.fd, SHUT_WR), 0); });
  rings([&] { EXPECT_EQ(sockdoc_hook_close(std::exchange(pair_.fd, -1)), 0); });
}

/** As one that means harm. */
TEST_F(Bell, APeerThatDoesNotRingIsHeardAfterAMoment) {
  be_with(pair_);
  pollfd entry = {pair_.fd, POLLIN, 0};
  for (int i = 0; i < 5; i++) {
    (void)pair_.receive();
    spin_policy.ended(true);
    prefer_bells(true);
    std::thread peer([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(3));
      (void)pair_.send(1);
    });
    EXPECT_EQ(sockdoc_hook_poll(&entry, 1, kLong), 1);
    peer.join();
  }
}

/** Waits at bells are counted, though nobody looks at the clock for them. */
TEST_F(Bell, WaitsEndInTime) {
  be_with(pair_);
  pollfd entry = {pair_.fd, POLLIN, 0};
  for (const int ms : {1, 11, 40}) {
    (void)pair_.receive();
    spin_policy.ended(true);
    prefer_bells(true);
    const auto start = Clock::now();
    EXPECT_EQ(sockdoc_hook_poll(&entry, 1, ms), 0);
    EXPECT_GE(Clock::now() - start, std::chrono::milliseconds(ms));
  }
  Timeout timeout = Timeout::ms(25);
  timeout.take(10'000'000);
  EXPECT_EQ(timeout.in_ms(), 15);
  timeout.take(20'000'000);
  EXPECT_TRUE(timeout.zero());
  Timeout never = Timeout::never();
  never.take(10'000'000);
  EXPECT_TRUE(never.endless());
}

TEST_F(Bell, ASignalEndsAWaitThere) {
  struct sigaction before = {};
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
  be_with(pair_);
  const pthread_t me = pthread_self();
  pollfd entry = {pair_.fd, POLLIN, 0};
  const auto interrupted = [&](auto wait) {
    (void)pair_.receive();
    spin_policy.ended(true);
    prefer_bells(true);
    bell_of(pair_) = 0;
    std::atomic<bool> done{false};
    std::thread other([&] {
      const auto start = Clock::now();
      while (bell_of(pair_) == 0 && Clock::now() - start < std::chrono::milliseconds(50)) {
      }
      while (!done) {
        pthread_kill(me, SIGUSR1);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    });
    errno = 0;
    EXPECT_EQ(wait(), -1);
    EXPECT_EQ(errno, EINTR);
    done = true;
    other.join();
  };
  for (int i = 0; i < 10; i++) {
    interrupted([&] { return sockdoc_hook_poll(&entry, 1, kLong); });
  }
  ::sigaction(SIGUSR1, &before, nullptr);
}

}  // namespace
}  // namespace sockdoc::preload
