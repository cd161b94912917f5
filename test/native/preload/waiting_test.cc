#include "preload/readiness/waiting.h"

#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "preload/readiness/user_memory.h"
#include "readiness.h"

namespace sockdoc::preload {
namespace {

TEST(SpinPolicy, DoesNotYieldForAWhileAfterOthersHadTheProcessorForLong) {
  constexpr std::uint64_t kMs = 1000 * kTicksPerUs;
  set_spinning_by_default();
  SpinPolicy policy;
  const std::uint64_t usual = policy.limit(kMs);
  EXPECT_EQ(usual, spin_ticks);
  policy.yielded(kMs, 30 * kTicksPerUs);  // a peer that worked for an answer
  EXPECT_EQ(policy.limit(kMs), usual);
  policy.yielded(10 * kMs, 4 * kMs);
  EXPECT_EQ(policy.limit(12 * kMs), SpinPolicy::kAlone * kTicksPerUs);
  EXPECT_EQ(policy.limit(100 * kMs), usual);
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

bool handle_and_restart(int signal) {
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;
  return ::sigaction(signal, &action, nullptr) == 0;
}

int wait_by_select(int fd, timeval* timeout) {
  fd_set in;
  FD_ZERO(&in);
  FD_SET(fd, &in);
  return sockdoc_hook_select(fd + 1, &in, nullptr, nullptr, timeout);
}

TEST_F(Readiness, SignalsEndAWait) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
  ASSERT_TRUE(handle_and_restart(SIGUSR1));
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
  interrupted([&] { return wait_by_select(pair.fd, nullptr); });
}

TEST_F(Readiness, AWaitTellsItsPeerWhereItRunsAndSeesWhereThatDid) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
  epoll_event event = {};
  pollfd entry = {pair.fd, POLLIN, 0};
  timeval moment = {0, 1000};
  std::atomic<std::uint32_t>& told = pair.slot().ends[1].cpu;
  const auto tells = [&](auto wait) {
    told = 0;
    // One whose first look took long, since others had the processor, looks no more.
    for (int i = 0; told == 0 && i < 1000; i++) {
      EXPECT_EQ(pair.receive(), 0U);
      spin_policy.ended(true);
      moment = {0, 1000};
      EXPECT_EQ(wait(), 0);
    }
    EXPECT_NE(told, 0U);
  };
  tells([&] { return sockdoc_hook_epoll_wait(set.fd, &event, 1, 1); });
  tells([&] { return sockdoc_hook_poll(&entry, 1, 1); });
  tells([&] { return wait_by_select(pair.fd, &moment); });

  const auto beside = [&](std::uint32_t peer) {
    pair.slot().ends[0].cpu = peer;
    Peers peers(false);
    peers.add(table.find(pair.fd));
    return peers.beside();
  };
  EXPECT_FALSE(beside(0));
  // Whoever is moved between the two looks is beside nobody: until it was not.
  while (!beside(told)) {
  }
  EXPECT_FALSE(beside(told + 1000));
}

TEST(SpinPolicy, LooksLongerWhereThatSparesASleep) {
  constexpr std::uint64_t kSoon = (kDefaultSpinUs + kDefaultSpinUs / 2) * kTicksPerUs;
  constexpr std::uint64_t kLate = 3 * kDefaultSpinUs * kTicksPerUs;
  SpinPolicy policy;
  const auto in_us = [&] { return policy.limit(ticks()) / kTicksPerUs; };
  const auto sleep = [&](int times, std::uint64_t took) {
    while (times-- > 0) policy.slept(took);
  };
  EXPECT_EQ(in_us(), kDefaultSpinUs);
  for (int i = 0; i < 5; i++) policy.ended(false);
  EXPECT_EQ(in_us(), 0U) << "it was in vain";
  sleep(8, kSoon);
  EXPECT_EQ(in_us(), 0U) << "a few say little";
  sleep(1, kSoon);
  EXPECT_EQ(in_us(), 2 * kDefaultSpinUs);
  sleep(4, kLate);
  EXPECT_EQ(in_us(), kDefaultSpinUs);
  sleep(20, kSoon);
  EXPECT_EQ(in_us(), 2 * kDefaultSpinUs);
  policy.look_no_longer();
  sleep(1, kSoon);
  EXPECT_EQ(in_us(), kDefaultSpinUs) << "all anew";
  sleep(20, kSoon);
  EXPECT_EQ(in_us(), 2 * kDefaultSpinUs);
  set_spinning_us(kDefaultSpinUs - 10);
  sleep(20, kSoon);
  EXPECT_EQ(in_us(), kDefaultSpinUs - 10) << "as was asked for";
  set_spinning_us(kDefaultSpinUs);
  EXPECT_EQ(in_us(), kDefaultSpinUs) << "as was asked for, too";
  set_spinning_by_default();
  policy.yielded(ticks(), std::uint64_t{1'000'000} * kTicksPerUs);
  EXPECT_EQ(in_us(), SpinPolicy::kAlone) << "others want the processor";
}

/** The handler runs before the call sleeps: the program's own call would have slept already, and would have ended. */
TEST_F(Readiness, ASignalThatComesWhileItLooksEndsAWait) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
  ASSERT_TRUE(handle_and_restart(SIGUSR1));
  const pthread_t me = pthread_self();
  set_spinning_us(10'000);
  const auto interrupted = [&](auto wait) {
    EXPECT_EQ(pair.receive(), 0U);
    spin_policy.ended(true);
    std::atomic<bool> begun{false};
    std::thread other([&] {
      while (!begun) std::this_thread::yield();
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      pthread_kill(me, SIGUSR1);
    });
    begun = true;
    errno = 0;
    EXPECT_EQ(wait(), -1);
    EXPECT_EQ(errno, EINTR);
    other.join();
  };
  epoll_event event = {};
  pollfd entry = {pair.fd, POLLIN, 0};
  for (int i = 0; i < 3; i++) {
    interrupted([&] { return sockdoc_hook_epoll_wait(set.fd, &event, 1, kSecond); });
    interrupted([&] { return sockdoc_hook_poll(&entry, 1, kSecond); });
    interrupted([&] {
      timeval second = {1, 0};
      return wait_by_select(pair.fd, &second);
    });
  }
  set_spinning_us(kDefaultSpinUs);
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
