#include "inject/visit/visit.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include <atomic>
#include <cerrno>
#include <initializer_list>
#include <vector>

#include "inject/victim.h"
#include "inject/visit/safe_point.h"
#include "preload/connection/bell.h"

namespace sockdoc::inject {
namespace {

/** Waits for a byte; 0 when it is the right one, errno is what it was, and a sum over doubles is too. */
int await_byte(int socket) {
  errno = 77;
  double sum = 0.5;
  char byte = 0;
  asm volatile("" : "+x"(sum));
  const ssize_t got = ::recv(socket, &byte, 1, 0);
  asm volatile("" : "+x"(sum));
  return got == 1 && byte == 'x' && errno == 77 && sum == 0.5 ? 0 : 1;
}

class VisitTest : public testing::Test {
 protected:
  void SetUp() override {
    victim_.await(SYS_recvfrom);
    const auto maps = read_maps(victim_.pid());
    ASSERT_TRUE(maps);
    const auto libc = find_library(memory_, *maps, "libc.so.6");
    ASSERT_TRUE(libc);
    libc_ = *libc;
    const auto entry = find_entry_points(*libc);
    ASSERT_TRUE(entry);
    entry_ = *entry;
    mappings_ = maps->size();
  }

  /** A thread of the process whose memory it is does this for us, from a safe point on. */
  template <typename Inside>
  void visiting(const Memory& memory, Inside inside) {
    Threads threads(memory);
    Thread* host = stop_at_safe_point(threads, memory, entry_, std::nullopt, deadline_);
    ASSERT_NE(host, nullptr);
    Visit visit(memory, entry_, *host);
    ASSERT_FALSE(visit.enter(std::nullopt, deadline_));
    inside(visit);
  }

  int finish() {
    EXPECT_EQ(::send(victim_.peer(), "x", 1, 0), 1);
    return victim_.ended();
  }

  std::size_t mappings() const { return read_maps(victim_.pid())->size(); }

  Victim victim_{await_byte};
  Memory memory_{victim_.pid()};
  std::optional<Image> libc_;
  EntryPoints entry_;
  std::size_t mappings_ = 0;
  const Deadline deadline_ = Deadline::in_ms(20'000);
};

TEST_F(VisitTest, CallsAndLeavesNoTrace) {
  visiting(memory_, [&](Visit& visit) {
    long result = 0;
    ASSERT_FALSE(visit.system_call({SYS_getpid}, deadline_, result));
    EXPECT_EQ(result, victim_.pid());
    ASSERT_FALSE(visit.system_call({SYS_close, 12345}, deadline_, result));
    EXPECT_EQ(result, -EBADF);
    for (int i = 0; i < 50; i++) {
      ASSERT_FALSE(visit.system_call({SYS_getppid}, deadline_, result));
      EXPECT_EQ(result, ::getpid());
    }
    ASSERT_TRUE(memory_.set(visit.room(), std::uint64_t{0x41424344}));
    std::uint64_t length = 0;
    ASSERT_FALSE(visit.call(*libc_->symbol("atoi"), {number(visit.room())}, deadline_, length));
    EXPECT_EQ(length, 0u);
    visit.leave();
  });
  victim_.await(SYS_recvfrom);
  EXPECT_EQ(mappings(), mappings_);
  EXPECT_EQ(finish(), 0);
}

TEST_F(VisitTest, AFaultInACallIsNotTheProgramsFault) {
  visiting(memory_, [&](Visit& visit) {
    std::uint64_t result = 0;
    EXPECT_STREQ(visit.call(Address{16}, {}, deadline_, result)->code, "failed");
    EXPECT_TRUE(visit.call(Address{16}, {}, deadline_, result));
  });
  EXPECT_EQ(finish(), 0);
}

TEST_F(VisitTest, AFaultInACallLeavesTheProgramItsHandler) {
  Victim other([](int socket) {
    struct sigaction action {};
    action.sa_handler = [](int) { ::_exit(2); };
    ::sigaction(SIGSEGV, &action, nullptr);
    char byte = 0;
    const ssize_t got = ::recv(socket, &byte, 1, 0);
    struct sigaction now {};
    ::sigaction(SIGSEGV, nullptr, &now);
    return got == 1 && now.sa_handler == action.sa_handler ? 0 : 1;
  });
  other.await(SYS_recvfrom);
  const Memory memory(other.pid());
  // A child of the same process: its libc is at the same place.
  visiting(memory, [&](Visit& visit) {
    std::uint64_t result = 0;
    EXPECT_STREQ(visit.call(Address{16}, {}, deadline_, result)->code, "failed");
  });
  ASSERT_EQ(::send(other.peer(), "x", 1, 0), 1);
  EXPECT_EQ(other.ended(), 0);
}

TEST_F(VisitTest, ACallThatTakesTooLongEndsByItself) {
  visiting(memory_, [&](Visit& visit) {
    std::uint64_t result = 0;
    const auto refusal = visit.call(*libc_->symbol("usleep"), {700'000}, Deadline::in_ms(50), result);
    ASSERT_TRUE(refusal);
    EXPECT_STREQ(refusal->code, "timeout");
  });
  EXPECT_EQ(finish(), 0);
}

TEST_F(VisitTest, ASignalMeanwhileIsThePrograms) {
  Victim other([](int socket) {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGUSR1, &action, nullptr);
    char byte = 0;
    return ::recv(socket, &byte, 1, 0) == -1 && errno == EINTR ? 0 : 1;
  });
  other.await(SYS_recvfrom);
  const Memory memory(other.pid());
  // A child of the same process: its libc is at the same place.
  visiting(memory, [&](Visit& visit) {
    ::kill(other.pid(), SIGUSR1);
    long result = 0;
    ASSERT_FALSE(visit.system_call({SYS_getpid}, deadline_, result));
    EXPECT_EQ(result, other.pid());
  });
  EXPECT_EQ(other.ended(), 0);
}

/** Waits where the stack that is mapped ends. */
[[gnu::noinline]] int await_byte_at_the_end(int socket, std::uint64_t end) {
  volatile char frame[2048] = {};
  if (reinterpret_cast<std::uint64_t>(&frame) > end + 2 * sizeof frame) {
    const int result = await_byte_at_the_end(socket, end);
    frame[0] = 0;  // no tail call
    return result;
  }
  return await_byte(socket);
}

TEST_F(VisitTest, TheStackOfTheFirstThreadGrows) {
  Victim deep([](int socket) {
    const auto maps = read_maps(::getpid());
    for (const Mapping& one : *maps) {
      if (one.path == "[stack]") return await_byte_at_the_end(socket, one.begin);
    }
    return 1;
  });
  deep.await(SYS_recvfrom);
  const Memory memory(deep.pid());
  {
    Threads threads(memory);
    Thread* host = stop_at_safe_point(threads, memory, entry_, std::nullopt, deadline_);
    ASSERT_NE(host, nullptr);
    const Address top{host->registers.rsp};
    char byte = 0;
    ASSERT_EQ(memory.read(Address{number(top) - 8192}, &byte, 1), 0u) << "there is room anyway";
    EXPECT_TRUE(memory.has_stack(top, 16384));
    Visit visit(memory, entry_, *host);
    const auto refusal = visit.enter(std::nullopt, deadline_);
    ASSERT_FALSE(refusal) << refusal->reason;
  }
  EXPECT_EQ(::send(deep.peer(), "x", 1, 0), 1);
  EXPECT_EQ(deep.ended(), 0);
}

/** The object that this test's own code is in. */
std::optional<Image> own_image(const Memory& memory) {
  const auto maps = read_maps(memory.pid());
  const auto code = reinterpret_cast<std::uint64_t>(&preload::await_bells);
  for (const Mapping& one : *maps) {
    if (one.offset != 0) continue;
    auto image = Image::at(memory, Address{one.begin});
    if (image && image->holds(Address{code})) return image;
  }
  return std::nullopt;
}

class BellTest : public VisitTest, public testing::WithParamInterface<unsigned> {};

TEST_P(BellTest, WhoWaitsForPeersInLibsdMakesCalls) {
  Victim waits([](int socket) {
    std::atomic<std::uint32_t> bells[2] = {1, 1};
    const preload::BellToWaitAt words[2] = {preload::to_wait_at(bells[0]), preload::to_wait_at(bells[1])};
    char byte = 0;
    do {
      if (preload::await_bells(words, GetParam(), 10'000'000) != preload::AtBells::late) return 1;
    } while (::recv(socket, &byte, 1, MSG_DONTWAIT) < 0);
    return byte == 'x' ? 0 : 1;
  });
  waits.await(GetParam() == 1 ? SYS_futex : 449);
  const Memory memory(waits.pid());
  const auto libsd = own_image(memory);
  ASSERT_TRUE(libsd);
  for (int i = 0; i < 5; i++) {
    Threads threads(memory);
    Thread* host = stop_at_safe_point(threads, memory, entry_, libsd, Deadline::in_ms(3000));
    ASSERT_NE(host, nullptr);
    Visit visit(memory, entry_, *host);
    ASSERT_FALSE(visit.enter(std::nullopt, deadline_));
    long result = 0;
    ASSERT_FALSE(visit.system_call({SYS_getpid}, deadline_, result));
    EXPECT_EQ(result, waits.pid());
  }
  ASSERT_EQ(::send(waits.peer(), "x", 1, 0), 1);
  EXPECT_EQ(waits.ended(), 0);
}

INSTANTIATE_TEST_SUITE_P(OneAndSeveral, BellTest, testing::Values(1u, 2u));

TEST_F(VisitTest, WhatWasCutShortFinishesBehindLibcAlsoWhereItIsCutShortThereAgain) {
  constexpr std::size_t kWhole = 8 << 20;
  Victim sender([](int socket) {
    const std::vector<char> bytes(kWhole);
    return ::send(socket, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(kWhole) ? 0 : 1;
  });
  const Memory memory(sender.pid());
  std::vector<char> bytes(1 << 20);  // more than the socket holds: some of it comes from the call for the rest
  std::size_t got = 0;
  for (int i = 0; i < 3; i++) {
    sender.await(SYS_sendto);
    Threads threads(memory);
    Thread* thread = threads.stop(sender.pid(), deadline_);
    ASSERT_NE(thread, nullptr);
    ASSERT_EQ(thread->call.way, BrokenCall::Way::partly);
    EXPECT_TRUE(Visit(memory, entry_, *thread).finish_behind_libc());
    threads.release();
    got += static_cast<std::size_t>(::recv(sender.peer(), bytes.data(), bytes.size(), MSG_WAITALL));
  }
  for (ssize_t n; (n = ::recv(sender.peer(), bytes.data(), bytes.size(), 0)) > 0;) got += static_cast<std::size_t>(n);
  EXPECT_EQ(got, kWhole);
  EXPECT_EQ(sender.ended(), 0);
}

/** A thread is taken for calls of ours at a safe point, and comes back as it was. */
class IdleCallTest : public VisitTest {
 protected:
  /** What the victim ends with, when `meanwhile` is done while its thread makes calls for us; and `then` afterwards. */
  int visited(Victim& victim, long number, const std::function<void(pid_t)>& meanwhile,
              const std::function<void(pid_t)>& then) {
    victim.await(number);
    const Memory memory(victim.pid());
    for (int i = 0; i < 3; i++) {
      Threads threads(memory);
      Thread* host = stop_at_safe_point(threads, memory, entry_, std::nullopt, deadline_);
      EXPECT_NE(host, nullptr);
      if (host == nullptr) return -1;
      Visit visit(memory, entry_, *host);  // a child of the same process: its libc is at the same place
      EXPECT_FALSE(visit.enter(std::nullopt, deadline_));
      if (i == 2) meanwhile(victim.pid());
      long result = 0;
      EXPECT_FALSE(visit.system_call({SYS_getpid}, deadline_, result));
      EXPECT_EQ(result, victim.pid());
    }
    then(victim.pid());
    return victim.ended();
  }
};

volatile sig_atomic_t handled[3];

void count_signals() {
  struct sigaction action {};
  action.sa_handler = [](int signal) { handled[signal == SIGUSR1 ? 1 : 2] = 1; };
  ::sigaction(SIGUSR1, &action, nullptr);
  ::sigaction(SIGUSR2, &action, nullptr);
}

sigset_t set_of(std::initializer_list<int> signals) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int one : signals) ::sigaddset(&set, one);
  return set;
}

const auto nothing = [](pid_t) {};
const auto send_both = [](pid_t pid) {
  ::kill(pid, SIGUSR2);
  ::kill(pid, SIGUSR1);
};

/** Is ended by SIGUSR1 alone, with both blocked again afterwards. */
int suspend(int) {
  count_signals();
  const sigset_t both = set_of({SIGUSR1, SIGUSR2});
  const sigset_t other = set_of({SIGUSR2});
  ::sigprocmask(SIG_BLOCK, &both, nullptr);
  const int result = ::sigsuspend(&other);
  const int error = errno;
  sigset_t now;
  ::sigprocmask(SIG_BLOCK, nullptr, &now);
  const bool blocked = ::sigismember(&now, SIGUSR1) == 1 && ::sigismember(&now, SIGUSR2) == 1;
  return result == -1 && error == EINTR && blocked && handled[1] == 1 && handled[2] == 0 ? 0 : 1;
}

TEST_F(IdleCallTest, SigsuspendHasItsMaskAndItsSignals) {
  Victim after(suspend);
  EXPECT_EQ(visited(after, SYS_rt_sigsuspend, nothing, send_both), 0);
  Victim meanwhile(suspend);
  EXPECT_EQ(visited(meanwhile, SYS_rt_sigsuspend, send_both, nothing), 0);
}

int await_signal(int) {
  const sigset_t set = set_of({SIGUSR1, SIGUSR2});
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  siginfo_t info{};
  return ::sigwaitinfo(&set, &info) == SIGUSR1 && info.si_pid == ::getppid() ? 0 : 1;
}

TEST_F(IdleCallTest, SigwaitTakesWhatCame) {
  const auto send = [](pid_t pid) { ::kill(pid, SIGUSR1); };
  Victim after(await_signal);
  EXPECT_EQ(visited(after, SYS_rt_sigtimedwait, nothing, send), 0);
  Victim meanwhile(await_signal);
  EXPECT_EQ(visited(meanwhile, SYS_rt_sigtimedwait, send, nothing), 0);
}

int await_child(int) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::pause();
    ::_exit(1);
  }
  struct sigaction action {};
  static pid_t to_end;
  to_end = child;
  action.sa_handler = [](int) { ::kill(to_end, SIGKILL); };
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGUSR1, &action, nullptr);
  int status = 0;
  return ::wait4(child, &status, 0, nullptr) == child && WTERMSIG(status) == SIGKILL ? 0 : 1;
}

TEST_F(IdleCallTest, WaitHasItsChildBehindARestartingHandler) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the thread sanitizer keeps signals from their handlers until wait4() has returned";
#endif
  const auto send = [](pid_t pid) { ::kill(pid, SIGUSR1); };
  Victim after(await_child);
  EXPECT_EQ(visited(after, SYS_wait4, nothing, send), 0);
  Victim meanwhile(await_child);
  EXPECT_EQ(visited(meanwhile, SYS_wait4, send, nothing), 0);
}

/** Ended by a signal: what is left and what has passed are what was asked for, but for the time that it took to wake.
 */
int sleep_well(int) {
  count_signals();
  constexpr double kAsked = 1000;
  constexpr double kToWake = 1.5;
  timespec begin{};
  timespec end{};
  timespec left{static_cast<time_t>(kAsked), 0};
  ::clock_gettime(CLOCK_MONOTONIC, &begin);
  const int result = ::nanosleep(&left, &left);
  ::clock_gettime(CLOCK_MONOTONIC, &end);
  const auto seconds = [](const timespec& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  };
  const double more = seconds(end) - seconds(begin) + seconds(left) - kAsked;
  return result == -1 && errno == EINTR && more > -0.001 && more < kToWake ? 0 : 1;
}

TEST_F(IdleCallTest, ASleepIsNotBegunAnew) {
  const auto send = [](pid_t pid) { ::kill(pid, SIGUSR1); };
  Victim after(sleep_well);
  after.await(SYS_clock_nanosleep);
  ::sleep(2);
  EXPECT_EQ(visited(after, SYS_clock_nanosleep, nothing, send), 0);
  Victim meanwhile(sleep_well);
  EXPECT_EQ(visited(meanwhile, SYS_clock_nanosleep, send, nothing), 0);
}

TEST_F(IdleCallTest, WhoeverSleepsOtherwiseIsNotVisited) {
  const std::initializer_list<std::function<int(int)>> works = {[](int) {  // what is left is known to nobody
                                                                  const timespec time{1000, 0};
                                                                  return ::nanosleep(&time, nullptr);
                                                                },
                                                                [](int) {  // as a lock backs off
                                                                  for (;;) {
                                                                    timespec time{0, 50'000'000};
                                                                    ::nanosleep(&time, &time);
                                                                  }
                                                                  return 0;
                                                                }};
  for (const auto& work : works) {
    Victim sleeper(work);
    sleeper.await(SYS_clock_nanosleep);
    const Memory memory(sleeper.pid());
    Threads threads(memory);
    EXPECT_EQ(stop_at_safe_point(threads, memory, entry_, std::nullopt, Deadline::in_ms(150)), nullptr);
    EXPECT_TRUE(threads.all().empty());
  }
}

}  // namespace
}  // namespace sockdoc::inject
