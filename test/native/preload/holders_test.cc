#include "preload/table/holders.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace sockdoc::preload {
namespace {

constexpr unsigned kUnknown = Holders::kUnknown;

/** Runs in a child; whether it said yes. */
template <typename Body>
bool in_child(Body body) {
  const pid_t child = fork();
  if (child == 0) _exit(body() ? 0 : 1);
  int status = -1;
  return waitpid(child, &status, 0) == child && status == 0;
}

TEST(Holders, WhoIsLeftAloneIsTold) {
  Holders holders;
  const std::uint32_t place = holders.share(Holders::kNone, kUnknown);
  ASSERT_NE(place, Holders::kNone);
  EXPECT_FALSE(holders.alone(place)) << "the child that is to come";
  EXPECT_TRUE(in_child([&] {
    const bool first = holders.alone(place);
    holders.leave(place);
    return !first;
  }));
  EXPECT_TRUE(holders.alone(place));
  EXPECT_TRUE(holders.alone(place)) << "until the next fork";
  EXPECT_EQ(holders.share(place, kUnknown), place);
  EXPECT_FALSE(holders.alone(place));
}

TEST(Holders, AChildIsAloneOnceItsParentHasLeft) {
  Holders holders;
  const std::uint32_t place = holders.share(Holders::kNone, kUnknown);
  holders.leave(place);
  EXPECT_TRUE(in_child([&] { return holders.alone(place); }));
}

TEST(Holders, EndingCountsNobodyOut) {
  Holders holders;
  const std::uint32_t place = holders.share(Holders::kNone, kUnknown);
  EXPECT_TRUE(in_child([] { return true; }));
  EXPECT_FALSE(holders.alone(place));
}

TEST(Holders, GrandchildrenCount) {
  Holders holders;
  const std::uint32_t place = holders.share(Holders::kNone, kUnknown);
  EXPECT_TRUE(in_child([&] {
    const bool same = holders.share(place, kUnknown) == place;
    holders.leave(place);  // the child; the grandchild keeps it
    return same;
  }));
  EXPECT_FALSE(holders.alone(place));
  holders.leave(place);
  EXPECT_TRUE(holders.alone(place)) << "the grandchild";
}

TEST(Holders, OneWhoDoesNotCountMakesItForEver) {
  Holders holders;
  const std::uint32_t place = holders.share(Holders::kNone, kUnknown);
  holders.forbid(place);
  holders.leave(place);
  EXPECT_FALSE(holders.alone(place));
  holders.forbid(Holders::kNone);
  EXPECT_FALSE(holders.alone(Holders::kNone));
  EXPECT_NE(holders.share(Holders::kNone, kUnknown), place) << "others are not given that place";
}

/** A child that has a number, does something, and ends; it is there until it was waited for. */
template <typename Body>
void numbered_child(Holders& holders, unsigned number, Body body) {
  const pid_t child = fork();
  if (child == 0) {
    holders.begin_as(number);
    body();
    _exit(0);
  }
  holders.born(number, child);
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
}

TEST(Holders, TheEndOfAChildWithANumberCounts) {
  Holders holders;
  const unsigned number = holders.expect_child();
  ASSERT_NE(number, kUnknown);
  const std::uint32_t place = holders.share(Holders::kNone, number);
  numbered_child(holders, number, [] {});
  EXPECT_FALSE(holders.alone(place)) << "nobody has looked yet";
  holders.count_out_ended();
  EXPECT_TRUE(holders.alone(place));
  EXPECT_EQ(holders.expect_child(), number) << "the number is free";
}

/** Two ends of which a process may keep one, so that others know when it has ended. */
struct Pipe {
  Pipe() { EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0); }
  ~Pipe() {
    for (const int end : ends) ::close(end);
  }
  /** Until nobody has the end for writing. */
  void wait() {
    char byte;
    ::close(std::exchange(ends[1], -1));
    EXPECT_EQ(read(ends[0], &byte, 1), 0);
  }
  int ends[2] = {-1, -1};
};

TEST(Holders, AChildThatNobodyHasWaitedForHasEndedToo) {
  Holders holders;
  const unsigned number = holders.expect_child();
  const std::uint32_t place = holders.share(Holders::kNone, number);
  Pipe stays;
  const pid_t child = fork();
  if (child == 0) {
    stays.wait();
    _exit(0);
  }
  holders.born(number, child);
  holders.count_out_ended();
  EXPECT_FALSE(holders.alone(place)) << "it lives";
  ::close(std::exchange(stays.ends[1], -1));
  siginfo_t info;
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  holders.count_out_ended();
  EXPECT_TRUE(holders.alone(place));
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
}

TEST(Holders, AChildThatClosedAndEndedIsCountedOutOnce) {
  Holders holders;
  const std::uint32_t other = holders.share(Holders::kNone, kUnknown);
  const unsigned number = holders.expect_child();
  ASSERT_EQ(holders.share(other, number), other);
  numbered_child(holders, number, [&] { holders.leave(other); });
  holders.count_out_ended();
  EXPECT_FALSE(holders.alone(other)) << "the child without a number";
}

TEST(Holders, AChildIsAloneWithItsNumber) {
  Holders holders;
  const unsigned number = holders.expect_child();
  const std::uint32_t place = holders.share(Holders::kNone, number);
  holders.leave(place);
  EXPECT_TRUE(in_child([&] {
    holders.begin_as(number);
    return holders.alone(place);
  }));
}

TEST(Holders, WhatAProgramGetsThatWasExecutedIsNeverOnesOwn) {
  Holders holders;
  const unsigned number = holders.expect_child();
  const std::uint32_t place = holders.share(Holders::kNone, number);
  const std::uint32_t closed = holders.share(Holders::kNone, number);
  numbered_child(holders, number, [&] { holders.forbid(place); });
  holders.count_out_ended();
  EXPECT_FALSE(holders.alone(place));
  EXPECT_TRUE(holders.alone(closed));
}

TEST(Holders, WhoExecutesLetsGoOfWhatThatCloses) {
  Holders holders;
  const unsigned number = holders.expect_child();
  const std::uint32_t place = holders.share(Holders::kNone, number);
  Pipe stays, begins;
  const pid_t child = fork();
  if (child == 0) {
    holders.begin_as(number);
    ::close(stays.ends[1]);
    dup2(stays.ends[0], 0);
    execl("/bin/cat", "cat", nullptr);
    _exit(1);
  }
  holders.born(number, child);
  begins.wait();
  holders.count_out_ended();
  EXPECT_TRUE(holders.alone(place)) << "though it lives";
  EXPECT_EQ(holders.expect_child(), number);
  ::close(std::exchange(stays.ends[1], -1));
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
}

TEST(Holders, AChildOfAChildCountsWhenItsParentEnds) {
  Holders holders;
  const unsigned number = holders.expect_child();
  const std::uint32_t place = holders.share(Holders::kNone, number);
  Pipe stays, ends;
  numbered_child(holders, number, [&] {
    const unsigned next = holders.expect_child();
    (void)holders.share(place, next);
    const std::uint32_t theirs = holders.share(Holders::kNone, next);
    if (fork() != 0) return;
    holders.begin_as(next);
    ::close(ends.ends[0]);
    stays.wait();
    _exit(theirs == Holders::kNone);
  });
  holders.count_out_ended();
  EXPECT_FALSE(holders.alone(place)) << "it lives";
  EXPECT_NE(holders.expect_child(), number) << "the number is its too";
  ::close(std::exchange(stays.ends[1], -1));
  ends.wait();
  // Its descriptors go after its memory.
  holders.count_out_ended();
  EXPECT_TRUE(holders.alone(place));
  EXPECT_EQ(holders.expect_child(), number);
  EXPECT_EQ(holders.expect_child(), number + 1) << "and that of the child's child";
}

TEST(Holders, AChildThatIsNotCountedAnyMoreHasNoMoreOfIt) {
  Holders holders;
  const unsigned first = holders.expect_child();
  const std::uint32_t place = holders.share(Holders::kNone, first);
  numbered_child(holders, first, [&] {
    // Of one whose parent ends before it.
    (void)holders.share(place, kUnknown);
  });
  EXPECT_FALSE(holders.alone(place));
  holders.count_out_ended();
  EXPECT_TRUE(holders.alone(place));
  EXPECT_EQ(holders.share(place, kUnknown), place);
  holders.count_out_ended();
  EXPECT_FALSE(holders.alone(place)) << "another, who has no lifeline";
}

TEST(Holders, PlacesAreFreeAgainWhenThoseWhoHadThemHaveEnded) {
  Holders holders;
  std::uint32_t highest = 0;
  for (int i = 0; i < 200; i++) {
    const unsigned number = holders.expect_child();
    ASSERT_NE(number, kUnknown);
    const std::uint32_t place = holders.share(Holders::kNone, number);
    ASSERT_NE(place, Holders::kNone);
    highest = std::max(highest, place);
    holders.leave(place);
    numbered_child(holders, number, [] {});
    holders.count_out_ended();
  }
  EXPECT_LE(highest, 64U);
}

TEST(Holders, ANumberThatWasLeftBehindIsNotCountedTwice) {
  Holders holders;
  const unsigned number = holders.expect_child();
  const std::uint32_t place = holders.share(Holders::kNone, number);
  const std::uint32_t other = holders.share(Holders::kNone, kUnknown);
  holders.leave(other);
  holders.leave(place);
  numbered_child(holders, number, [] {});
  holders.count_out_ended();  // its parent had closed the socket
  ASSERT_EQ(holders.expect_child(), number);
  ASSERT_EQ(holders.share(other, number), other);  // by who has it still
  numbered_child(holders, number, [&] { holders.leave(other); });
  holders.count_out_ended();
  EXPECT_TRUE(holders.alone(other));
}

TEST(Holders, AForkThatFailedCountsNobody) {
  Holders holders;
  const unsigned number = holders.expect_child();
  const std::uint32_t place = holders.share(Holders::kNone, number);
  holders.born(number, -1);
  holders.count_out_ended();
  EXPECT_TRUE(holders.alone(place));
}

}  // namespace
}  // namespace sockdoc::preload
