#include "probes/connections/owner_cache.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <vector>

#include "live_sockets.h"

namespace sockdoc {
namespace {

/** A cache that looks at this process, and at those that a test has started. */
class OwnerCacheTest : public ::testing::Test {
 protected:
  /** The descriptor under which the process holds the socket; -1 when it does not. */
  int holder(const std::vector<std::uint32_t>& inodes, std::uint32_t inode, double at_ms, int pid = ::getpid()) {
    Gaps gaps;
    processes_ = ProcessTable::read({}, {}, gaps);
    std::erase_if(processes_.all(),
                  [&](const ProcessEntry& process) { return process.pid != ::getpid() && process.pid != pid; });
    const DescriptorTable table = cache_.refresh(processes_, inodes, at_ms);
    int fd = -1;
    table.for_each_owner(inode, [&](const HeldSocket& held) {
      if (processes_.at(held.process).pid == pid) fd = held.fd;
    });
    return fd;
  }

  OwnerCache cache_;
  ProcessTable processes_;
};

TEST_F(OwnerCacheTest, ReadsAnUnchangedProcessOnce) {
  const Fd socket = bound(SOCK_STREAM);
  const std::uint32_t inode = inode_of(socket);
  EXPECT_EQ(holder({inode}, inode, 20'000), socket.get());
  EXPECT_EQ(cache_.walked(), 1u);
  EXPECT_EQ(holder({inode}, inode, 21'000), socket.get());
  struct stat folder {};
  ASSERT_EQ(::stat("/proc/self/fd", &folder), 0);
  if (folder.st_size == 0) GTEST_SKIP() << "/proc/PID/fd has no size before Linux 6.2";
  EXPECT_EQ(cache_.walked(), 0u);
  EXPECT_EQ(holder({inode}, inode, 21'000 + OwnerCache::kOldestMs), socket.get());
  EXPECT_EQ(cache_.walked(), 1u) << "what is old is read again";
}

TEST_F(OwnerCacheTest, ManyDescriptorsWithoutAChangeAreReadAgainByTurns) {
  struct stat folder {};
  ASSERT_EQ(::stat("/proc/self/fd", &folder), 0);
  if (folder.st_size == 0) GTEST_SKIP() << "/proc/PID/fd has no size before Linux 6.2";
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  constexpr rlim_t kEnough = OwnerCache::kOldDescriptors + 100;
  if (limit.rlim_max < kEnough) GTEST_SKIP() << "no more than " << limit.rlim_max << " descriptors";
  const rlimit raised{std::max(limit.rlim_cur, kEnough), limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &raised), 0);
  std::vector<Fd> copies;
  for (int i = 0; i < OwnerCache::kOldDescriptors; ++i) {
    ASSERT_TRUE(copies.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC)).valid());
  }
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) ::pause();
  }
  ASSERT_GT(child, 0);
  (void)holder({}, 0, 20'000, child);
  EXPECT_EQ(cache_.walked(), 2u);
  (void)holder({}, 0, 20'000 + OwnerCache::kOldestMs, child);
  EXPECT_EQ(cache_.walked(), 1u);
  (void)holder({}, 0, 20'001 + OwnerCache::kOldestMs, child);
  EXPECT_EQ(cache_.walked(), 1u) << "the other's turn";
  (void)holder({}, 0, 20'002 + OwnerCache::kOldestMs, child);
  EXPECT_EQ(cache_.walked(), 0u);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
}

TEST_F(OwnerCacheTest, ADescriptorUsedAgainForAnotherSocket) {
  Fd first = bound(SOCK_STREAM);
  const int fd = first.get();
  const std::uint32_t before = inode_of(first);
  EXPECT_EQ(holder({before}, before, 20'000), fd);
  first = Fd();
  const Fd second = bound(SOCK_STREAM);
  ASSERT_EQ(second.get(), fd) << "the lowest free number";
  const std::uint32_t after = inode_of(second);
  EXPECT_EQ(holder({after}, after, 21'000), fd) << "the number of descriptors is the same, the socket is new";
  EXPECT_EQ(holder({after}, before, 22'000), -1);
}

TEST_F(OwnerCacheTest, ASocketInPlaceOfAFile) {
  Fd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Fd other = bound(SOCK_STREAM);
  const int fd = file.get();
  EXPECT_EQ(holder({inode_of(other)}, inode_of(other), 20'000), other.get());
  file = Fd();
  const Fd socket = bound(SOCK_STREAM);
  ASSERT_EQ(socket.get(), fd);
  EXPECT_EQ(holder({inode_of(other), inode_of(socket)}, inode_of(socket), 21'000), fd) << "nothing known was lost";
}

TEST_F(OwnerCacheTest, AClosedOneGoesAtOnce) {
  Fd socket = bound(SOCK_STREAM);
  const Fd copy(::dup(socket.get()));
  const std::uint32_t inode = inode_of(socket);
  EXPECT_EQ(holder({inode}, inode, 20'000), socket.get());
  socket = Fd();
  EXPECT_EQ(holder({inode}, inode, 21'000), copy.get());
}

TEST_F(OwnerCacheTest, AProcessThatEndsAndOneThatInherits) {
  Fd socket = bound(SOCK_STREAM);
  const std::uint32_t inode = inode_of(socket);
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) ::pause();
  }
  ASSERT_GT(child, 0);
  EXPECT_EQ(holder({inode}, inode, 20'000, child), socket.get());
  const int fd = socket.get();
  socket = Fd();
  EXPECT_EQ(holder({inode}, inode, 21'000), -1);
  EXPECT_EQ(holder({inode}, inode, 22'000, child), fd);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(holder({}, inode, 23'000, child), -1);
}

TEST_F(OwnerCacheTest, APidUsedAgainIsAnotherProcess) {
  const Fd socket = bound(SOCK_STREAM);
  const std::uint32_t inode = inode_of(socket);
  EXPECT_EQ(holder({inode}, inode, 20'000), socket.get());
  Gaps gaps;
  processes_ = ProcessTable::read({}, {}, gaps);
  std::erase_if(processes_.all(), [](const ProcessEntry& process) { return process.pid != ::getpid(); });
  ++processes_.all().front().stat.start_ticks;
  (void)cache_.refresh(processes_, {inode}, 21'000);
  EXPECT_EQ(cache_.walked(), 1u) << "its start time tells";
}

TEST_F(OwnerCacheTest, AnOwnerlessSocketIsSearchedForOnce) {
  const std::uint32_t nobodys = 1;  // no socket has this inode number
  EXPECT_EQ(holder({nobodys}, nobodys, 20'000), -1);
  struct stat folder {};
  ASSERT_EQ(::stat("/proc/self/fd", &folder), 0);
  if (folder.st_size == 0) GTEST_SKIP() << "/proc/PID/fd has no size before Linux 6.2";
  EXPECT_EQ(holder({nobodys}, nobodys, 21'000), -1);
  EXPECT_EQ(cache_.walked(), 0u);
}

}  // namespace
}  // namespace sockdoc
