#include "inject/visit/visit.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <cerrno>

#include "inject/victim.h"
#include "inject/visit/safe_point.h"

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
    Thread* host = stop_at_safe_point(threads, memory, deadline_);
    ASSERT_NE(host, nullptr);
    Visit visit(memory, entry_, *host);
    ASSERT_FALSE(visit.enter(deadline_));
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

TEST_F(VisitTest, WhoeverIsNeverInACallOnASocketIsNotVisited) {
  Victim sleeper([](int) { return ::pause(); });
  sleeper.await(SYS_pause);
  const Memory memory(sleeper.pid());
  Threads threads(memory);
  EXPECT_EQ(stop_at_safe_point(threads, memory, Deadline::in_ms(30)), nullptr);
  EXPECT_TRUE(threads.all().empty());
}

}  // namespace
}  // namespace sockdoc::inject
