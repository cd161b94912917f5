#include "monitor/identity.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace sockdoc::monitor {
namespace {

TEST(Identity, IsReadFromStatus) {
  const auto identity = parse_status("Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t9 10 \nNSpid:\t77\t3\n");
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->uids, (std::array<uid_t, 3>{1, 2, 3}));
  EXPECT_EQ(identity->gids, (std::array<gid_t, 3>{5, 6, 7}));
  EXPECT_EQ(identity->groups, (std::vector<gid_t>{9, 10}));
  EXPECT_EQ(identity->own_pid, 3);
  EXPECT_FALSE(parse_status("Uid:\t1\t2\nGid:\t1\t1\t1\nNSpid:\t1"));
  EXPECT_FALSE(parse_status(""));
  EXPECT_EQ(parse_cgroup("4:memory:/m\n1:name=systemd:/s\n0::/u\n"), "/u");
  EXPECT_EQ(parse_cgroup("4:memory:/m\n1:name=systemd:/\n0::/\n"), "/m");
  EXPECT_EQ(parse_cgroup("0::/\n"), "/");
}

}  // namespace
}  // namespace sockdoc::monitor
