#include "inject/ptrace/broken_call.h"

#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <vector>

#include "inject/ptrace/threads.h"
#include "inject/victim.h"

namespace sockdoc::inject {
namespace {

using Way = BrokenCall::Way;

int wait_by_epoll(int socket) {
  const int set = ::epoll_create1(0);
  epoll_event event{};
  event.events = EPOLLIN;
  ::epoll_ctl(set, EPOLL_CTL_ADD, socket, &event);
  return ::epoll_wait(set, &event, 1, 60'000) == 1 ? 0 : errno;
}

int wait_by_poll(int socket) {
  pollfd one{socket, POLLIN, 0};
  return ::poll(&one, 1, 60'000) == 1 ? 0 : errno;
}

constexpr std::size_t kMuch = 8 << 20;

int send_much(int socket) {
  const std::vector<char> bytes(kMuch);
  return ::send(socket, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(kMuch) ? 0 : 1;
}

/** What a stop makes of the call that it sleeps in; it is let go again, mended. */
BrokenCall stop_in(const Victim& victim, long number) {
  victim.await(number);
  const Memory memory(victim.pid());
  Threads threads(memory);
  Thread* thread = threads.stop(victim.pid(), Deadline::in_ms(20'000));
  return thread == nullptr ? BrokenCall{} : thread->call;
}

TEST(BrokenCall, EpollIsInterruptedAndMended) {
  Victim victim(wait_by_epoll);
  for (int i = 0; i < 5; i++) {
    const BrokenCall call = stop_in(victim, SYS_epoll_wait);
    EXPECT_EQ(call.way, Way::interrupted);
    EXPECT_TRUE(call.hooked);
    EXPECT_FALSE(call.signal);
  }
  EXPECT_EQ(::send(victim.peer(), "x", 1, 0), 1);
  EXPECT_EQ(victim.ended(), 0);
}

TEST(BrokenCall, PollIsRestartedByTheKernel) {
  Victim victim(wait_by_poll);
  for (int i = 0; i < 5; i++) EXPECT_EQ(stop_in(victim, SYS_poll).way, Way::restarts);
  EXPECT_EQ(::send(victim.peer(), "x", 1, 0), 1);
  EXPECT_EQ(victim.ended(), 0);
}

TEST(BrokenCall, ASendThatWaitsIsCutShort) {
  Victim victim(send_much);
  const BrokenCall call = stop_in(victim, SYS_sendto);
  EXPECT_EQ(call.way, Way::partly);
  EXPECT_GT(call.done, 0u);
  EXPECT_LT(call.done, kMuch);
}

TEST(BrokenCall, AShortDatagramIsAllThatMsgWaitallGets) {
  Victim victim([](int socket) {
    char bytes[100];
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0 || ::recv(socket, bytes, 1, 0) != 1) return 1;
    if (::send(pair[0], "abc", 3, 0) != 3) return 1;
    return ::recv(pair[1], bytes, sizeof bytes, MSG_WAITALL) == 3 ? 0 : 1;
  });
  victim.await(SYS_recvfrom);
  const Memory memory(victim.pid());
  {
    Threads threads(memory);
    Thread* thread = threads.stop(victim.pid(), Deadline::in_ms(20'000));
    ASSERT_NE(thread, nullptr);
    ASSERT_EQ(::send(victim.peer(), "x", 1, 0), 1);
    do {
      thread->tracee.resume_to_system_call();
      ASSERT_TRUE(thread->tracee.await_stop(Deadline::in_ms(20'000)));
      ASSERT_TRUE(examine(memory, *thread));
    } while (thread->registers.orig_rax != SYS_recvfrom || thread->registers.r10 != MSG_WAITALL ||
             static_cast<long>(thread->registers.rax) != 3);
    EXPECT_EQ(thread->call.way, Way::none);
  }
  EXPECT_EQ(victim.ended(), 0);
}

TEST(BrokenCall, ASignalIsThePrograms) {
  Victim victim([](int socket) {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGUSR1, &action, nullptr);
    return wait_by_epoll(socket) == EINTR ? 0 : 1;
  });
  victim.await(SYS_epoll_wait);
  const Memory memory(victim.pid());
  {
    Threads threads(memory);
    ASSERT_NE(threads.stop(victim.pid(), Deadline::in_ms(20'000)), nullptr);
    // While it is stopped: it comes with the next one.
    ::kill(victim.pid(), SIGUSR1);
  }
  EXPECT_EQ(victim.ended(), 0);
}

TEST(BrokenCall, TimeThatHasPassedIsTakenOff) {
  arch::Registers registers{};
  registers.orig_rax = SYS_epoll_wait;
  registers.rip = 1002;
  registers.r10 = 500;
  BrokenCall call{Way::interrupted, SYS_epoll_wait, 0, true, false};
  EXPECT_EQ(standing_alone(call, registers, 120).r10, 380u);
  EXPECT_EQ(standing_alone(call, registers, 120).rip, 1000u);
  EXPECT_EQ(standing_alone(call, registers, 900).r10, 0u);
  registers.r10 = ~0ULL;
  EXPECT_EQ(standing_alone(call, registers, 900).r10, ~0ULL);
  registers.r10 = 500;
  registers.rax = static_cast<unsigned long long>(-EINTR);
  const auto by_kernel = mended(call, registers, 120);
  ASSERT_TRUE(by_kernel);
  EXPECT_EQ(by_kernel->r10, 380u);
  EXPECT_EQ(by_kernel->rip, 1002u);
  EXPECT_EQ(by_kernel->orig_rax, static_cast<unsigned long long>(SYS_epoll_wait));
  EXPECT_EQ(static_cast<long>(by_kernel->rax), -514);  // the kernel decides between the call and a handler
}

constexpr std::int64_t kMs = 1'000'000;

TEST(WaitedMs, IsWhatTheSchedulerSaysOnOneCpu) {
  EXPECT_EQ(waited_ms(Sleep{1000, 1, 7, 50 * kMs}, Sleep{31'000, 1, 8, 53 * kMs}), 30'000u);
}

TEST(WaitedMs, IsNotTheDifferenceOfTwoClocks) {
  EXPECT_EQ(waited_ms(Sleep{1000, 0, 7, 50 * kMs}, Sleep{31'000, 1, 8, 53 * kMs}), 3u) << "as long as it was watched";
  EXPECT_EQ(waited_ms(Sleep{31'000, 1, 7, 50 * kMs}, Sleep{1000, 0, 8, 53 * kMs}), 3u);
}

TEST(WaitedMs, OfOneThatWasWokenAndWaitsForItsTurnIsNotTheAgeOfTheHost) {
  EXPECT_EQ(waited_ms(Sleep{0, 1, 7, 50 * kMs}, Sleep{66'000'000, 1, 8, 53 * kMs}), 3u);
}

TEST(WaitedMs, IsNothingWhereTheThreadWokeOrIsUnknown) {
  EXPECT_EQ(waited_ms(Sleep{1000, 1, 7, 50 * kMs}, Sleep{31'000, 1, 9, 53 * kMs}), 0u);
  EXPECT_EQ(waited_ms(std::nullopt, Sleep{31'000, 1, 8, 53 * kMs}), 0u);
  EXPECT_EQ(waited_ms(Sleep{1000, 1, 7, 50 * kMs}, std::nullopt), 0u);
}

/** Each CPU's scheduler has a clock of its own; a thread is moved as it wakes. */
TEST(WaitedMs, IsNeverMoreThanTheTimeThatWentBy) {
  cpu_set_t cpus;
  ASSERT_EQ(::sched_getaffinity(0, sizeof cpus, &cpus), 0);
  const auto begin = std::chrono::steady_clock::now();
  const Victim victim(wait_by_poll);
  const Memory memory(victim.pid());
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &cpus)) continue;
    victim.await(SYS_poll);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    ASSERT_EQ(::sched_setaffinity(victim.pid(), sizeof one, &one), 0);
    Threads threads(memory);
    const Thread* thread = threads.stop(victim.pid(), Deadline::in_ms(20'000));
    ASSERT_NE(thread, nullptr);
    EXPECT_LE(thread->waited_ms, (std::chrono::steady_clock::now() - begin) / std::chrono::milliseconds(1) + 1);
  }
}

}  // namespace
}  // namespace sockdoc::inject
