#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "preload/readiness/set_members.h"
#include "readiness.h"

namespace sockdoc::preload {
namespace {

TEST_F(Readiness, ARegistrationOutlivesItsNumber) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
  const int copy = sockdoc_hook_dup(pair.fd);
  sockdoc_hook_close(pair.fd);
  ASSERT_TRUE(pair.send(1));
  EXPECT_EQ(set.ready(kLong), "7:1");
  pair.fd = copy;
}

TEST_F(Readiness, ASetKnowsItsMembersByEveryNumberOfItsOwn) {
  RingedPair pair;
  const int set = sockdoc_hook_epoll_create1(EPOLL_CLOEXEC);
  const int copy = sockdoc_hook_dup(set);
  epoll_event event = {};
  event.events = EPOLLIN;
  ASSERT_EQ(sockdoc_hook_epoll_ctl(set, EPOLL_CTL_ADD, pair.fd, &event), 0);
  sockdoc_hook_close(set);
  ASSERT_TRUE(pair.send(1));
  EXPECT_EQ(sockdoc_hook_epoll_wait(copy, &event, 1, kLong), 1);
  sockdoc_hook_close(copy);
  EXPECT_EQ(sockdoc_hook_epoll_wait(copy, &event, 1, 0), -1);
  EXPECT_EQ(errno, EBADF);
  const Set again;
  EXPECT_EQ(again.ready(), "") << "the same place of the table, another set";
}

TEST_F(Readiness, MembersOfASetThatWasThereBeforeAreFound) {
  RingedPair pair;
  RingedPair gone;
  const int set = ::epoll_create1(0);  // no hook sees it
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = 0x123456789abcdef0;
  ASSERT_EQ(::epoll_ctl(set, EPOLL_CTL_ADD, pair.fd, &event), 0);
  ASSERT_EQ(::epoll_ctl(set, EPOLL_CTL_ADD, gone.fd, &event), 0);
  const int copy = sockdoc_hook_dup(gone.fd);
  sockdoc_hook_close(gone.fd);
  const int other = ::open("/dev/null", O_RDONLY);
  ASSERT_EQ(other, gone.fd);
  gone.fd = copy;
  ASSERT_TRUE(pair.send(1));
  event = {};
  EXPECT_EQ(sockdoc_hook_epoll_wait(set, &event, 1, kLong), 1);
  EXPECT_EQ(event.data.u64, 0x123456789abcdef0U);
  EXPECT_TRUE(gone.marked()) << "its registration cannot be followed";
  ::close(other);
  sockdoc_hook_close(set);
}

TEST_F(Readiness, WhatCannotBeFollowedStaysOnTheKernel) {
  RingedPair nested;
  RingedPair polled;
  RingedPair twice;
  RingedPair exclusive;
  RingedPair same;
  const Set outer;
  const Set inner;
  ASSERT_EQ(inner.add(nested.fd, EPOLLIN, 1), 0);
  EXPECT_FALSE(nested.marked());
  ASSERT_EQ(outer.add(inner.fd, EPOLLIN, 2), 0);
  EXPECT_TRUE(nested.marked());
  EXPECT_FALSE(nested.send(1));
  EXPECT_EQ(outer.ready(kLong), "2:1");
  EXPECT_EQ(nested.receive(), 1U);
  EXPECT_TRUE(nested.marked()) << "for good";

  const Set watched;
  ASSERT_EQ(watched.add(polled.fd, EPOLLIN, 1), 0);
  pollfd entry = {watched.fd, POLLIN, 0};
  EXPECT_EQ(sockdoc_hook_poll(&entry, 1, 0), 0);
  EXPECT_TRUE(polled.marked());

  const int copy = sockdoc_hook_dup(twice.fd);
  ASSERT_EQ(watched.add(twice.fd, EPOLLIN, 3), 0);
  ASSERT_EQ(inner.add(twice.fd, EPOLLIN, 3), 0);
  ASSERT_EQ(inner.add(copy, EPOLLIN, 4), 0);
  EXPECT_TRUE(twice.marked());
  sockdoc_hook_close(copy);
  const Set plain;
  ASSERT_EQ(plain.add(exclusive.fd, EPOLLIN | EPOLLEXCLUSIVE, 5), 0);
  EXPECT_TRUE(exclusive.marked());
  RingedPair first;
  ASSERT_EQ(plain.add(first.fd, EPOLLIN | EPOLLONESHOT, 6), 0);
  EXPECT_FALSE(first.marked());
  ASSERT_EQ(plain.add(same.fd, EPOLLIN | EPOLLONESHOT, 6), 0);
  EXPECT_TRUE(same.marked());
  EXPECT_TRUE(first.marked());
}

TEST_F(Readiness, WhatRingsStillHoldIsSeenThroughASet) {
  RingedPair pair;
  const Set outer;
  const Set inner;
  ASSERT_EQ(inner.add(pair.fd, EPOLLIN, 1), 0);
  ASSERT_TRUE(pair.send(2));
  ASSERT_EQ(outer.add(inner.fd, EPOLLIN, 2), 0);
  EXPECT_EQ(outer.ready(), "2:1");
  EXPECT_EQ(outer.ready(kLong), "2:1");
  pollfd entry = {outer.fd, POLLIN, 0};
  EXPECT_EQ(sockdoc_hook_poll(&entry, 1, kLong), 1);
  EXPECT_EQ(entry.revents, POLLIN);
  EXPECT_EQ(inner.ready(), "1:1");
  EXPECT_EQ(pair.receive(), 2U);
  EXPECT_EQ(outer.ready(10), "");
  EXPECT_EQ(sockdoc_hook_poll(&entry, 1, 10), 0);
  EXPECT_FALSE(pair.send(1));
  EXPECT_EQ(outer.ready(kLong), "2:1");
}

TEST_F(Readiness, ASetThatAChildUsesStaysOnTheKernel) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
  const pid_t child = sockdoc_hook_fork();
  if (child == 0) _exit(set.ready().empty() ? 0 : 1);
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(set.ready(), "");
  EXPECT_TRUE(pair.marked());
}

TEST(MemberLines, AreReadInAnyPieces) {
  const std::string text =
      "pos:\t0\nflags:\t02\nmnt_id:\t15\nino:\t1057\n"
      "tfd:        5 events:       19 data:                5  pos:0 ino:61 sdev:5\n"
      "tfd:     1234 events: 80000001 data: ffffffffffffffff  pos:0 ino:1a2b3c sdev:8\n";
  for (std::size_t piece = 1; piece <= text.size(); piece++) {
    MemberLines lines;
    std::string found;
    for (std::size_t at = 0; at < text.size(); at += piece) {
      const std::string part = text.substr(at, piece);
      lines.take(part.data(), static_cast<long>(part.size()),
                 [&](int fd, std::uint64_t inode, const epoll_event& event) {
                   found += std::to_string(fd) + "," + std::to_string(inode) + "," + std::to_string(event.events) +
                            "," + std::to_string(event.data.u64) + ";";
                 });
    }
    ASSERT_EQ(found, "5,97,25,5;1234,1715004,2147483649,18446744073709551615;");
  }
}

}  // namespace
}  // namespace sockdoc::preload
