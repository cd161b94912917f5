#include "base/procfs.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace sockdoc {
namespace {

TEST(Procfs, TakesTextApart) {
  std::string_view rest = "a b\n";
  EXPECT_EQ(take_until(rest, ' '), "a");
  EXPECT_EQ(rest, "b\n");
  EXPECT_EQ(take_until(rest, ' '), "b\n");
  EXPECT_TRUE(rest.empty());
}

TEST(Procfs, FindsALineByItsWholeKey) {
  const std::string_view text = "nonvoluntary_ctxt_switches:\t7\nvoluntary_ctxt_switches:\t 12\nEmpty:\n";
  EXPECT_EQ(line_of(text, "voluntary_ctxt_switches:"), "12");
  EXPECT_EQ(line_of(text, "nonvoluntary_ctxt_switches:"), "7");
  EXPECT_EQ(line_of(text, "Empty:"), "");
  EXPECT_EQ(line_of(text, "Absent:"), "");
}

TEST(Procfs, ReadsInodesOfTheKindAskedForOnly) {
  EXPECT_EQ(inode_of_link("socket:[4294967295]", "socket"), 4294967295u);
  EXPECT_EQ(inode_of_link("net:[4026531840]", "net"), 4026531840u);
  EXPECT_FALSE(inode_of_link("pipe:[12]", "socket"));
  EXPECT_FALSE(inode_of_link("/tmp/socket:[12]", "socket"));
  EXPECT_FALSE(inode_of_link("socket:[12", "socket"));
  EXPECT_FALSE(inode_of_link("socket:[]", "socket"));
}

TEST(Procfs, ReadsWholeFoldersAndSmallFiles) {
  std::set<int> seen;
  FolderReader folder(AT_FDCWD, "/proc/self/fd");
  ASSERT_TRUE(folder.valid());
  const Fd other(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_TRUE(folder.for_each_number([&](const char* name, int number) {
    EXPECT_EQ(std::to_string(number), name);
    seen.insert(number);
  }));
  EXPECT_TRUE(seen.contains(other.get()));
  EXPECT_TRUE(seen.contains(folder.fd()));

  char buffer[64];
  EXPECT_EQ(read_small(folder.fd(), "../comm", buffer).value_or("").empty(), false);
  EXPECT_EQ(read_link(folder.fd(), std::to_string(other.get()).c_str(), buffer), "/dev/null");
}

TEST(Procfs, SaysWhyAFileCannotBeRead) {
  char buffer[16];
  errno = 0;
  EXPECT_FALSE(read_small(AT_FDCWD, "/proc/self/no-such-file", buffer));
  EXPECT_EQ(errno, ENOENT);
  FolderReader folder(AT_FDCWD, "/proc/self/no-such-folder");
  EXPECT_FALSE(folder.valid());
  EXPECT_TRUE(folder.for_each_number([](const char*, int) { FAIL(); }));
}

TEST(Procfs, ReadsAFileLongerThanOneRead) {
  std::string buffer(1 << 16, '\0');
  const auto text = read_small(AT_FDCWD, "/proc/self/smaps", buffer);
  ASSERT_TRUE(text);
  EXPECT_GT(text->size(), 4096u);
}

}  // namespace
}  // namespace sockdoc
