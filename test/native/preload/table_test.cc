#include "preload/table/table.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "preload/calls.h"
#include "preload/originals.h"
#include "preload/table/own.h"

// The hooks are called by their names here, without patches.
namespace sockdoc::preload {
namespace {

bool known(int fd, sockdoc_socket_state& into) { return table.read(fd, into); }
bool known(int fd) {
  sockdoc_socket_state state;
  return known(fd, state);
}

class Table : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    sockdoc_resolve_originals();  // as the constructor of libsd does, before there are threads
    ASSERT_TRUE(table.start());
    table.take_stock_of_all();
  }
};

TEST_F(Table, KnowsSocketsFromBirthToTheLastClose) {
  const int fd = sockdoc_hook_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  ASSERT_GE(fd, 0);
  sockdoc_socket_state state;
  ASSERT_TRUE(known(fd, state));
  EXPECT_EQ(state.kind, SOCKDOC_SOCKET_FRESH);
  EXPECT_TRUE(state.non_blocking);
  EXPECT_TRUE(state.complete);
  EXPECT_NE(state.cookie, 0U);
  const int copy = sockdoc_hook_dup(fd);
  sockdoc_socket_state same;
  ASSERT_TRUE(known(copy, same));
  EXPECT_EQ(same.cookie, state.cookie);
  EXPECT_EQ(sockdoc_hook_close(fd), 0);
  EXPECT_FALSE(known(fd));
  EXPECT_TRUE(known(copy));
  EXPECT_EQ(sockdoc_hook_close(copy), 0);
  EXPECT_FALSE(known(copy));
}

TEST_F(Table, LeavesOthersAlone) {
  const int datagrams = sockdoc_hook_socket(AF_INET, SOCK_DGRAM, 0);
  const int local = sockdoc_hook_socket(AF_UNIX, SOCK_STREAM, 0);
  EXPECT_FALSE(known(datagrams));
  EXPECT_FALSE(known(local));
  EXPECT_FALSE(known(-1));
  EXPECT_FALSE(known(2000000000));
  sockdoc_hook_close(datagrams);
  sockdoc_hook_close(local);
}

TEST_F(Table, TellsSocketsOfOneNumberApart) {
  const int fd = sockdoc_hook_socket(AF_INET, SOCK_STREAM, 0);
  const Handle first = table.find(fd);
  sockdoc_hook_close(fd);
  ASSERT_EQ(sockdoc_hook_socket(AF_INET, SOCK_STREAM, 0), fd);
  table.sent(first, 100);  // a call that began before the close
  table.raise(first, kNonBlocking);
  sockdoc_socket_state state;
  ASSERT_TRUE(known(fd, state));
  EXPECT_EQ(state.sent, 0U);
  EXPECT_FALSE(state.non_blocking);
  sockdoc_hook_close(fd);
}

TEST_F(Table, TakesStockOfWhatIsOpen) {
  const int fd = ::socket(AF_INET6, SOCK_STREAM, 0);
  if (fd < 0) GTEST_SKIP() << "no IPv6";
  EXPECT_FALSE(known(fd));
  table.take_stock(fd);
  sockdoc_socket_state state;
  ASSERT_TRUE(known(fd, state));
  EXPECT_EQ(state.kind, SOCKDOC_SOCKET_INHERITED);
  EXPECT_FALSE(state.complete);
  sockdoc_hook_close(fd);
}

TEST_F(Table, PutsBackWhatWasNotReplaced) {
  const int fd = sockdoc_hook_socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(sockdoc_hook_dup2(-1, fd), -1);
  EXPECT_TRUE(known(fd));
  const int pipes = ::open("/dev/null", O_RDONLY);
  EXPECT_EQ(sockdoc_hook_dup2(pipes, fd), fd);
  EXPECT_FALSE(known(fd));
  sockdoc_hook_close(pipes);
  sockdoc_hook_close(fd);
}

TEST_F(Table, IsNotChangedByAChildOnItsParentsMemory) {
  const int fd = sockdoc_hook_socket(AF_INET, SOCK_STREAM, 0);
  const pid_t child = vfork();
  if (child == 0) {
    sockdoc_hook_close(fd);
    _exit(0);
  }
  ASSERT_GT(child, 0);
  waitpid(child, nullptr, 0);
  sockdoc_socket_state state;
  ASSERT_TRUE(known(fd, state));
  EXPECT_TRUE(state.complete);
  sockdoc_hook_close(fd);
}

TEST_F(Table, BelongsToAChildWithItsOwnMemory) {
  const int fd = sockdoc_hook_socket(AF_INET, SOCK_STREAM, 0);
  const pid_t child = sockdoc_hook_fork();
  if (child == 0) {
    sockdoc_socket_state state;
    const bool as_expected = known(fd, state) && !state.complete && sockdoc_hook_close(fd) == 0 && !known(fd);
    _exit(as_expected ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  sockdoc_socket_state state;
  ASSERT_TRUE(known(fd, state));
  EXPECT_FALSE(state.complete) << "the child may have used it too";
  sockdoc_hook_close(fd);
}

TEST_F(Table, NoticesAForkThatNoHookSaw) {
  const int fd = sockdoc_hook_socket(AF_INET, SOCK_STREAM, 0);
  const pid_t child = ::fork();
  if (child == 0) _exit(sockdoc_hook_close(fd) == 0 && !known(fd) ? 0 : 1);
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(known(fd));
  sockdoc_hook_close(fd);
}

TEST_F(Table, HoldsUnderThreadsThatOpenAndClose) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 2000;
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int thread = 0; thread < kThreads; thread++) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kRounds; i++) {
        const int fd = sockdoc_hook_socket(AF_INET, SOCK_STREAM, 0);
        const auto bytes = static_cast<std::uint64_t>(thread + 1) * 1000000 + static_cast<std::uint64_t>(i);
        table.sent(table.find(fd), bytes);
        const int copy = sockdoc_hook_dup(fd);
        sockdoc_hook_close(fd);
        sockdoc_socket_state state;
        if (!known(copy, state) || state.sent != bytes) wrong++;
        sockdoc_hook_close(copy);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

class Own : public Table {
 protected:
  void SetUp() override {
    const int fd = ::open("/dev/null", O_RDONLY);
    const int place = own_descriptors.adopt(fd);
    ASSERT_GE(place, 0);
    place_ = static_cast<std::size_t>(place);
    EXPECT_EQ(::fcntl(fd, F_GETFD), -1) << "its low number is the program's again";
  }
  void TearDown() override { own_descriptors.release(place_); }

  [[nodiscard]] int number() const { return own_descriptors.number(place_); }
  void expect_open() const { EXPECT_EQ(::fcntl(number(), F_GETFD), FD_CLOEXEC); }

  std::size_t place_ = 0;
};

TEST_F(Own, DescriptorsSitHighAndAreNotTheProgramsToClose) {
  EXPECT_GT(number(), 100);
  expect_open();
  errno = 0;
  EXPECT_EQ(sockdoc_hook_close(number()), -1);
  EXPECT_EQ(errno, EBADF);
  EXPECT_EQ(sockdoc_hook___close_nocancel(number()), -1);
  EXPECT_EQ(sockdoc_hook_syscall(3 /* close */, number(), 0, 0, 0, 0, 0), -1);
  expect_open();
}

TEST_F(Own, RangesLeaveThem) {
  const int below = ::fcntl(0, F_DUPFD, number() - 2);
  const int above = ::fcntl(0, F_DUPFD, number() + 1);
  const auto first = static_cast<unsigned>(number());
  EXPECT_EQ(sockdoc_hook_close_range(first, first, 0), 0);
  expect_open();
  EXPECT_EQ(sockdoc_hook_close_range(first - 2, ~0U, 0), 0);
  expect_open();
  EXPECT_EQ(::fcntl(below, F_GETFD), -1);
  if (above >= 0) {
    EXPECT_EQ(::fcntl(above, F_GETFD), -1);
  }
  sockdoc_hook_closefrom(number() - 1);
  expect_open();
  EXPECT_EQ(sockdoc_hook_close_range(first + 1, first, 0), -1);
}

TEST_F(Own, TheyMoveWhereTheProgramWantsTheirNumber) {
  const int wanted = number();
  const int fd = sockdoc_hook_socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(sockdoc_hook_dup2(fd, wanted), wanted);
  EXPECT_NE(number(), wanted);
  expect_open();
  EXPECT_TRUE(known(wanted));
  EXPECT_EQ(sockdoc_hook_close(wanted), 0);
  EXPECT_EQ(sockdoc_hook_close(fd), 0);
}

int null_device() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

TEST_F(Own, ThoseOfAMomentHaveRoomBesideAllOthers) {
  std::vector<std::size_t> places;
  for (int fd = null_device();; fd = null_device()) {
    const int place = own_descriptors.adopt(fd);
    if (place < 0) {
      ::close(fd);
      break;
    }
    places.push_back(static_cast<std::size_t>(place));
  }
  OwnDescriptor brief;
  const int lowest = null_device();
  EXPECT_TRUE(brief.take(lowest, OwnDescriptors::For::moment));
  EXPECT_GT(brief.number(), 100);
  EXPECT_TRUE(own_descriptors.owns(brief.number()));
  EXPECT_EQ(::fcntl(lowest, F_GETFD), -1);
  const int before = brief.number();
  brief.close();
  EXPECT_EQ(brief.number(), -1);
  EXPECT_EQ(::fcntl(before, F_GETFD), -1);
  OwnDescriptor lasting;
  const int none = null_device();
  EXPECT_FALSE(lasting.take(none));
  EXPECT_EQ(lasting.number(), -1);
  EXPECT_EQ(::fcntl(none, F_GETFD), -1);
  for (const std::size_t place : places) own_descriptors.release(place);
}

/** In a child, so that nobody else has the limit. */
TEST_F(Own, FewNumbersAreEnough) {
  const pid_t child = ::fork();
  if (child == 0) {
    const int first = null_device();
    const rlimit few = {static_cast<rlim_t>(first) + 4, static_cast<rlim_t>(first) + 4};
    ::setrlimit(RLIMIT_NOFILE, &few);
    OwnDescriptor high;
    bool good = high.take(first, OwnDescriptors::For::moment) && high.number() > first && high.number() < first + 4;
    while (null_device() >= 0) {
    }
    const int last = high.number();
    high.close();
    // No number is left but the one that it has.
    good = good && null_device() == last && ::close(last) == 0;
    good = good && high.take(null_device(), OwnDescriptors::For::moment) && high.number() == last;
    _exit(good ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

/** On the memory of its parent: the record is the parent's. */
TEST_F(Own, AChildOfVforkHasItsOwnAndLeavesTheParentsOpen) {
  OwnDescriptor theirs;
  ASSERT_TRUE(theirs.take(null_device()));
  const int number = theirs.number();
  struct {
    OwnDescriptor& of;
    int number;
    bool good = false;
  } shared{theirs, 0};
  const auto run = [](void* of) {
    auto& [descriptor, own, good] = *static_cast<decltype(shared)*>(of);
    descriptor.close();
    good = descriptor.number() == -1 && descriptor.take(null_device());
    own = descriptor.number();
    good = good && own > 100 && !own_descriptors.owns(own) && ::fcntl(own, F_GETFD) == FD_CLOEXEC;
    return 0;
  };
  std::vector<char> stack(256 * 1024);
  const pid_t child = ::clone(run, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK | SIGCHLD, &shared);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(shared.good);
  EXPECT_EQ(theirs.number(), -1) << "that one was the child's";
  EXPECT_TRUE(own_descriptors.owns(number));
  theirs.close();
  EXPECT_FALSE(own_descriptors.owns(number));
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
}

TEST(Syscalls, ThatAreNotHookedPassUntouched) {
  EXPECT_EQ(sockdoc_hook_syscall(39 /* getpid */, 0, 0, 0, 0, 0, 0), getpid());
  errno = 0;
  EXPECT_EQ(sockdoc_hook_syscall(1000000, 0, 0, 0, 0, 0, 0), -1);
  EXPECT_EQ(errno, ENOSYS);
  errno = 0;
  EXPECT_EQ(sockdoc_hook_syscall(-1, 0, 0, 0, 0, 0, 0), -1);
  EXPECT_EQ(errno, ENOSYS);
}

}  // namespace
}  // namespace sockdoc::preload
