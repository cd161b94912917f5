#include "settings/setting_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "errno_of.h"
#include "other_netns.h"

namespace sockdoc {
namespace {

namespace fs = std::filesystem;

class SettingFile : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("sockdoc-setting-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_;
};

TEST_F(SettingFile, IsWrittenWhole) {
  const fs::path file = folder_ / "value";
  std::ofstream(file) << "before\n";
  EXPECT_EQ(write_setting_file({"", false, file.string(), "4096 131072 6291456\n"}), "{}");
  EXPECT_EQ(text_of(file), "4096 131072 6291456\n");
}

TEST_F(SettingFile, IsOnlyOpenedWithoutAText) {
  const fs::path file = folder_ / "value";
  std::ofstream(file) << "before\n";
  EXPECT_EQ(write_setting_file({"", false, file.string(), std::nullopt}), "{}");
  EXPECT_EQ(text_of(file), "before\n");
}

TEST_F(SettingFile, IsNeverMade) {
  const fs::path file = folder_ / "none";
  EXPECT_EQ(errno_of(write_setting_file({"", false, file.string(), "1\n"})), "ENOENT");
  EXPECT_FALSE(fs::exists(file));
}

TEST_F(SettingFile, NamesWhatIsInTheWay) {
  EXPECT_EQ(errno_of(write_setting_file({"", false, folder_.string(), "1\n"})), "EISDIR");
  EXPECT_EQ(errno_of(write_setting_file({"/proc/self/ns/none", false, "/proc/sys/net/core/somaxconn", "1\n"})),
            "ENOENT");
}

TEST_F(SettingFile, IsThatOfTheNamespaceThatIsEntered) {
  const OtherNetns other;
  if (!other.made()) GTEST_SKIP() << "network namespaces cannot be made here";
  constexpr const char* kFile = "/proc/sys/net/core/somaxconn";
  const std::string ours = text_of(kFile);
  EXPECT_EQ(write_setting_file({other.path(), false, kFile, "777\n"}), "{}");
  EXPECT_EQ(other.text_of(kFile), "777\n");
  EXPECT_EQ(text_of(kFile), ours);
  EXPECT_EQ(errno_of(write_setting_file({other.path(), false, kFile, "no number\n"})), "EINVAL");
  EXPECT_EQ(other.text_of(kFile), "777\n");
}

TEST_F(SettingFile, OfAnInterfaceIsReachedThroughASysfsOfItsNamespace) {
  const OtherNetns other;
  if (!other.made()) GTEST_SKIP() << "network namespaces cannot be made here";
  constexpr const char* kFile = "/sys/class/net/lo/gro_flush_timeout";
  const std::string ours = text_of(kFile);
  const std::string answer = write_setting_file({other.path(), true, kFile, "4000\n"});
  if (errno_of(answer) == "EROFS") GTEST_SKIP() << "/sys is there for reading only";
  EXPECT_EQ(answer, "{}");
  EXPECT_EQ(text_of(kFile), ours);
}

}  // namespace
}  // namespace sockdoc
