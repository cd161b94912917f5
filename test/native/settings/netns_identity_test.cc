#include "settings/netns_identity.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "../json_reader.h"
#include "other_netns.h"

namespace sockdoc {
namespace {

TEST(NetnsIdentity, IsTheNumberOfItsFile) {
  struct stat info {};
  ASSERT_EQ(::stat("/proc/self/ns/net", &info), 0);
  EXPECT_EQ(JsonReader::read(read_netns_identity(""))["id"].text, std::to_string(info.st_ino));
  EXPECT_EQ(read_netns_identity("/proc/self/ns/net"), read_netns_identity(""));
}

TEST(NetnsIdentity, OfAnotherNamespaceIsAnother) {
  const OtherNetns other;
  if (!other.made()) GTEST_SKIP() << "network namespaces cannot be made here";
  const JsonValue ours = JsonReader::read(read_netns_identity(""));
  const JsonValue theirs = JsonReader::read(read_netns_identity(other.path()));
  EXPECT_NE(theirs["id"].text, ours["id"].text);
  ASSERT_EQ(theirs.has("cookie"), ours.has("cookie"));
  if (ours.has("cookie")) {
    EXPECT_NE(theirs["cookie"].text, ours["cookie"].text);
  }
}

TEST(NetnsIdentity, OfNoneIsAnError) {
  EXPECT_EQ(JsonReader::read(read_netns_identity("/proc/self/ns/none"))["errno"].text, "ENOENT");
  EXPECT_TRUE(JsonReader::read(read_netns_identity("/proc/self/ns/pid")).has("errno"));
}

}  // namespace
}  // namespace sockdoc
