#include "preload/table/holders.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sockdoc::preload {
namespace {

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
  const std::uint32_t place = holders.share(Holders::kNone);
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
  const std::uint32_t place = holders.share(Holders::kNone);
  holders.leave(place);
  EXPECT_TRUE(in_child([&] { return holders.alone(place); }));
}

TEST(Holders, EndingCountsNobodyOut) {
  Holders holders;
  const std::uint32_t place = holders.share(Holders::kNone);
  EXPECT_TRUE(in_child([] { return true; }));
  EXPECT_FALSE(holders.alone(place));
}

TEST(Holders, GrandchildrenCount) {
  Holders holders;
  const std::uint32_t place = holders.share(Holders::kNone);
  EXPECT_TRUE(in_child([&] {
    const bool same = holders.share(place) == place;
    holders.leave(place);  // the child; the grandchild keeps it
    return same;
  }));
  EXPECT_FALSE(holders.alone(place));
  holders.leave(place);
  EXPECT_TRUE(holders.alone(place)) << "the grandchild";
}

TEST(Holders, OneWhoDoesNotCountMakesItForEver) {
  Holders holders;
  const std::uint32_t place = holders.share(Holders::kNone);
  holders.forbid(place);
  holders.leave(place);
  EXPECT_FALSE(holders.alone(place));
  holders.forbid(Holders::kNone);
  EXPECT_FALSE(holders.alone(Holders::kNone));
  EXPECT_NE(holders.share(Holders::kNone), place) << "others are not given that place";
}

}  // namespace
}  // namespace sockdoc::preload
