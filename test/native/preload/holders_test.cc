#include "preload/table/holders.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

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

TEST(Holders, WhoIsLeftAloneIsToldOnce) {
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
  EXPECT_FALSE(holders.alone(place)) << "the place is free now";
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

void count_out_ended(Holders& holders, std::uint32_t place) {
  holders.ended([&](unsigned number) { holders.ended_with(place, number); });
}

TEST(Holders, TheEndOfAChildWithANumberCounts) {
  Holders holders;
  const unsigned number = holders.expect_child();
  ASSERT_NE(number, kUnknown);
  const std::uint32_t place = holders.share(Holders::kNone, number);
  numbered_child(holders, number, [] {});
  EXPECT_FALSE(holders.alone(place)) << "nobody has looked yet";
  count_out_ended(holders, place);
  EXPECT_TRUE(holders.alone(place));
  EXPECT_EQ(holders.expect_child(), number) << "the number is free";
}

TEST(Holders, AChildThatNobodyHasWaitedForHasEndedToo) {
  Holders holders;
  const unsigned number = holders.expect_child();
  const std::uint32_t place = holders.share(Holders::kNone, number);
  int stays[2];
  ASSERT_EQ(pipe(stays), 0);
  const pid_t child = fork();
  if (child == 0) {
    char byte;
    close(stays[1]);
    _exit(read(stays[0], &byte, 1) == 0 ? 0 : 1);
  }
  holders.born(number, child);
  count_out_ended(holders, place);
  EXPECT_FALSE(holders.alone(place)) << "it lives";
  close(stays[0]);
  close(stays[1]);
  siginfo_t info;
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  count_out_ended(holders, place);
  EXPECT_TRUE(holders.alone(place));
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
}

TEST(Holders, AChildThatClosedAndEndedIsCountedOutOnce) {
  Holders holders;
  const std::uint32_t other = holders.share(Holders::kNone, kUnknown);
  const unsigned number = holders.expect_child();
  ASSERT_EQ(holders.share(other, number), other);
  numbered_child(holders, number, [&] { holders.leave(other); });
  count_out_ended(holders, other);
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

TEST(Holders, TheEndOfWhoExecutedSaysNothing) {
  Holders holders;
  const unsigned number = holders.expect_child();
  const std::uint32_t place = holders.share(Holders::kNone, number);
  numbered_child(holders, number, [&] { holders.end_says_nothing(place); });
  count_out_ended(holders, place);
  EXPECT_FALSE(holders.alone(place));
}

TEST(Holders, AChildOfAChildCountsWhenItsParentEnds) {
  Holders holders;
  const unsigned number = holders.expect_child();
  const std::uint32_t place = holders.share(Holders::kNone, number);
  numbered_child(holders, number, [&] { (void)holders.share(place, holders.expect_child()); });
  count_out_ended(holders, place);
  EXPECT_FALSE(holders.alone(place));
}

TEST(Holders, ANumberThatWasLeftBehindIsNotCountedTwice) {
  Holders holders;
  const unsigned number = holders.expect_child();
  const std::uint32_t place = holders.share(Holders::kNone, number);
  holders.leave(place);
  numbered_child(holders, number, [] {});
  holders.ended([](unsigned) {});  // its parent had closed the socket
  ASSERT_EQ(holders.expect_child(), number);
  ASSERT_EQ(holders.share(place, number), place);  // by who has it still
  numbered_child(holders, number, [&] { holders.leave(place); });
  count_out_ended(holders, place);
  EXPECT_TRUE(holders.alone(place));
}

TEST(Holders, AForkThatFailedCountsNobody) {
  Holders holders;
  const unsigned number = holders.expect_child();
  const std::uint32_t place = holders.share(Holders::kNone, number);
  holders.born(number, -1);
  count_out_ended(holders, place);
  EXPECT_TRUE(holders.alone(place));
}

}  // namespace
}  // namespace sockdoc::preload
