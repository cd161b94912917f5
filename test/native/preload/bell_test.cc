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

using AtBell = Connection::AtBell;
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
  /**
   * Whether a wait goes on, at the bell or by yields, after it has announced itself; in one of `most` that do. Where
   * others have the processor for long it looks no more.
   */
  static bool goes_on_after_announcement(const RingedPair& pair, int most = 1'000'000) {
    set_spinning_us(10'000);
    bool result = false;
    std::thread waiter([&] {
      be_with(pair);
      const auto start = Clock::now();
      for (int announced = 0; !result && announced < most && Clock::now() - start < kHang;) {
        spin_policy.ended(true);
        prefer_bells(true);
        Timeout timeout = Timeout::never();
        SignalsHeld signals;
        Spin spin(timeout);
        const auto visit = [&](Peers& into) { into.add(table.find(pair.fd)); };
        bell_of(pair) = 0;
        while (bell_of(pair) == 0 && spin.go_on(signals, visit)) {
        }
        if (bell_of(pair) == 0) continue;
        announced++;
        result = spin.go_on(signals, visit);
      }
    });
    waiter.join();
    set_spinning_us(kDefaultSpinUs);
    return result;
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
  const BellToWaitAt gone[2] = {words[0], {1, 8, words[1].flags, 0}};
  EXPECT_EQ(await_bells(gone, 2, 1'000'000), AtBells::rung) << "no word there says nothing of the kernel";
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

TEST_F(Bell, APeerThatSendsInAWayThatDoesNotRingIsWaitedForInTheKernel) {
  const Handle socket = table.find(pair_.fd);
  Connection& connection = *connection_of(socket);
  abi::EndWords& theirs = pair_.slot().ends[0];
  std::atomic<std::uint32_t>& sends = pair_.slot().directions[0].sender.kernel_sends;
  const auto outcome = [&] { return connection.wait_at_bell(socket).outcome; };
  EXPECT_EQ(outcome(), AtBell::may);
  EXPECT_EQ(bell_of(pair_), 1U);
  sends.fetch_or(abi::kSendsAlone);
  EXPECT_EQ(outcome(), AtBell::never) << "lent, or taken back";
  sends.fetch_and(~abi::kSendsAlone);
  const std::uint64_t generation = theirs.mapped.exchange(0);
  EXPECT_EQ(outcome(), AtBell::never) << "it does not look at the memory";
  theirs.mapped = generation;
  theirs.flags = abi::kSaidShutdown;
  EXPECT_EQ(outcome(), AtBell::never);
  theirs.flags = 0;
  EXPECT_EQ(outcome(), AtBell::may);

  EXPECT_TRUE(goes_on_after_announcement(pair_)) << "at the bell";
  sends.fetch_or(abi::kSendsAlone);
  EXPECT_FALSE(goes_on_after_announcement(pair_, 20));
  sends.fetch_and(~abi::kSendsAlone);
}

TEST_F(Bell, IsNotWaitedAtForWhatTheKernelHasAlready) {
  const Handle socket = table.find(pair_.fd);
  Connection& connection = *connection_of(socket);
  abi::SenderWords& theirs = pair_.slot().directions[0].sender;
  const auto outcome = [&] { return connection.wait_at_bell(socket).outcome; };
  constexpr std::size_t kRing = 16384;
  EXPECT_FALSE(pair_.send(kRing + 100)) << "the rest by the kernel";
  EXPECT_EQ(pair_.receive(kRing), kRing);
  EXPECT_EQ(outcome(), AtBell::not_now);
  EXPECT_TRUE(goes_on_after_announcement(pair_)) << "a peer in the midst of its call is let run";
  EXPECT_EQ(select_once(pair_.fd), 1);
  EXPECT_EQ(pair_.receive(50), 50U);
  EXPECT_EQ(outcome(), AtBell::not_now);
  EXPECT_EQ(pair_.receive(), 50U);
  EXPECT_EQ(outcome(), AtBell::may) << "all by the kernel is taken: the next comes by the ring, or rings";
  theirs.kernel_sends++;
  EXPECT_EQ(outcome(), AtBell::not_now) << "a call gives it more";
  theirs.kernel_sends--;
  EXPECT_TRUE(pair_.send(1));
  EXPECT_EQ(pair_.receive(), 1U);
  EXPECT_EQ(outcome(), AtBell::may);
}

TEST_F(Bell, IsNotWaitedAtForEndsAlone) {
  const RingedPair ends;
  pollfd entries[2] = {{pair_.fd, POLLIN, 0}, {ends.fd, 0, 0}};
  std::thread waiter([&] {
    be_with(pair_);
    be_with(ends);
    for (int i = 0; i < 5; i++) {
      EXPECT_EQ(pair_.receive() + ends.receive(), 0U);
      spin_policy.ended(true);
      prefer_bells(true);
      EXPECT_EQ(sockdoc_hook_poll(entries, 2, 20), 0);
    }
  });
  waiter.join();
  EXPECT_EQ(bell_of(pair_), 0U);
}

/** The bell is where a reader sleeps whom the sender waits for to make room. */
TEST_F(Bell, IsRungBeforeASenderWaitsForRoom) {
  const std::string more_than_the_ring(40000, 'x');
  bool before_the_rest = false;
  for (int i = 0; !before_the_rest && i < 50; i++) {
    const RingedPair pair;
    abi::SlotHead& slot = pair.slot();
    slot.ends[0].bell = 1;
    std::atomic<bool> sent{false};
    std::thread reader([&] {
      while (slot.ends[0].bell != 0 && !sent) {
      }
      // Where others had the processor for long it was seen late.
      before_the_rest = slot.ends[0].bell == 0 && slot.directions[1].sender.kernel_sent == 0;
    });
    EXPECT_EQ(sockdoc_hook_send(pair.fd, more_than_the_ring.data(), 40000, 0), 40000);
    sent = true;
    reader.join();
  }
  EXPECT_TRUE(before_the_rest);
}

TEST_F(Bell, IsRungBeforeWhatMayTakeLongAndWhatNeverRings) {
  std::atomic<std::uint32_t>& bell = pair_.slot().ends[0].bell;
  int pipe[2] = {};
  ASSERT_EQ(::pipe(pipe), 0);
  bell = 1;
  std::thread sender([&] { EXPECT_EQ(sockdoc_hook_splice(pipe[0], nullptr, pair_.fd, nullptr, 1, 0), 1); });
  const auto start = Clock::now();
  while (bell != 0 && Clock::now() - start < kHang) std::this_thread::yield();
  EXPECT_EQ(bell, 0U) << "while it waits for the pipe";
  EXPECT_EQ(::write(pipe[1], "x", 1), 1);
  sender.join();
  ::close(pipe[0]);
  ::close(pipe[1]);
  bell = 1;
  EXPECT_TRUE(connection_of(table.find(pair_.fd))->hand_over(pair_.fd, abi::Reason::passed_on, coarse_ms() + kSecond));
  EXPECT_EQ(bell, 0U) << "the last time";
}

TEST_F(Bell, WaitsThatFindSomethingTakeTheirTimeToo) {
  constexpr int kSeconds = kLong / kSecond;
  constexpr long kAsleep = 3000;  // us
  be_with(pair_);
  bool at_bell = false;
  for (int i = 0; !at_bell && i < 50; i++) {
    (void)pair_.receive();
    spin_policy.ended(true);
    prefer_bells(true);
    bell_of(pair_) = 0;
    std::thread peer([&] {
      const auto start = Clock::now();
      while (bell_of(pair_) == 0 && Clock::now() - start < std::chrono::milliseconds(100)) std::this_thread::yield();
      at_bell = bell_of(pair_) != 0;
      std::this_thread::sleep_for(std::chrono::microseconds(kAsleep));
      (void)pair_.send(1);
      bell_of(pair_) = 0;
      ring_bell(bell_of(pair_));
    });
    fd_set in;
    FD_ZERO(&in);
    FD_SET(pair_.fd, &in);
    timeval left = {kSeconds, 0};
    EXPECT_EQ(sockdoc_hook_select(pair_.fd + 1, &in, nullptr, nullptr, &left), 1);
    peer.join();
    const long passed = kSeconds * 1'000'000 - (left.tv_sec * 1'000'000 + left.tv_usec);
    EXPECT_TRUE(!at_bell || passed >= kAsleep) << passed;
  }
  EXPECT_TRUE(at_bell);
}

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
