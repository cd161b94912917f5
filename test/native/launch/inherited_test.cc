#include <gtest/gtest.h>

#include "launch/command.h"
#include "launch/replace.h"

namespace sockdoc::launch {
namespace {

TEST(Inherited, IsReadForThisProcessAlone) {
  const auto noted = parse_inherited("42 0000000000000200 8000000000000001 1024 0 1 2 251", 42);
  ASSERT_TRUE(noted);
  EXPECT_EQ(noted->blocked, 0x200u);
  EXPECT_EQ(noted->ignored, 0x8000000000000001u);
  EXPECT_EQ(noted->most_files, 1024u);
  EXPECT_EQ(noted->descriptors, (std::vector<int>{0, 1, 2, 251}));
  EXPECT_FALSE(parse_inherited("42 0 0 1024 0", 43));
  EXPECT_FALSE(parse_inherited("42 0", 42));
  EXPECT_FALSE(parse_inherited("", 42));
  EXPECT_FALSE(parse_inherited("42 x y z", 42));
}

TEST(Command, IsFoundAsShellsFindIt) {
  EXPECT_EQ(find_command("sh", nullptr).path, "/bin/sh");
  EXPECT_EQ(find_command("sh", "/nowhere:/etc/passwd:/usr/bin").path, "/usr/bin/sh");
  EXPECT_EQ(find_command("passwd", "/etc:/nowhere").error, EACCES);
  EXPECT_EQ(find_command("passwd", "/etc:/nowhere").path, "/etc/passwd");
  EXPECT_EQ(find_command("no-such-command", "/usr/bin").error, ENOENT);
  EXPECT_EQ(find_command("", "/usr/bin").error, ENOENT);
  EXPECT_EQ(find_command("/etc", nullptr).error, EISDIR);
  EXPECT_EQ(find_command("/etc/passwd/x", nullptr).error, ENOENT);
  EXPECT_EQ(find_command("/dev/null", nullptr).error, EACCES);
}

TEST(Command, ValuesOfAnEnvironment) {
  const std::vector<std::string> environment{"AB=1", "A=2", "B", "C="};
  EXPECT_STREQ(value_in(environment, "A"), "2");
  EXPECT_STREQ(value_in(environment, "C"), "");
  EXPECT_EQ(value_in(environment, "B"), nullptr);
}

}  // namespace
}  // namespace sockdoc::launch
