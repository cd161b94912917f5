#include "probes/files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "probes/features.h"

namespace sockdoc {
namespace {

namespace fs = std::filesystem;

/** A folder of the test's own. */
class Files : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("sockdoc-files-" + std::to_string(::getpid()));
    fs::create_directories(folder_ / "conf" / "eth0");
    fs::create_directories(folder_ / "neigh");
    write("top", "one");
    write("conf/eth0/rp_filter", "two");
    write("neigh/gc", "three");
    fs::create_symlink("top", folder_ / "link");
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }
  [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }
  [[nodiscard]] std::string quoted(const std::string& name) const { return '"' + path(name) + '"'; }

  fs::path folder_;
};

TEST_F(Files, ReadsFilesTreesLinksAndPatterns) {
  FileRequest request;
  request.files = {path("top")};
  request.file_globs = {path("conf/*/rp_filter"), path("none/*")};
  request.trees = {path("neigh")};
  request.links = {path("link")};
  request.path_globs = {path("con*")};
  EXPECT_EQ(read_files(request), "{\"files\":{" + quoted("conf/eth0/rp_filter") + ":\"two\"," + quoted("neigh/gc") +
                                     ":\"three\"," + quoted("top") + ":\"one\"},\"links\":{" + quoted("link") +
                                     ":\"top\"},\"paths\":[" + quoted("conf") + "],\"errors\":{},\"gaps\":[]}");
}

TEST_F(Files, LeavesOutSkippedFoldersAndDoesNotFollowLinksInTrees) {
  FileRequest request;
  request.trees = {folder_.string()};
  request.skip = {"conf"};
  const std::string answer = read_files(request);
  EXPECT_NE(answer.find(quoted("neigh/gc")), std::string::npos);
  EXPECT_EQ(answer.find("rp_filter"), std::string::npos);
  EXPECT_EQ(answer.find(quoted("link")), std::string::npos);
}

TEST_F(Files, NamesTheErrorOfAFileThatIsNotThere) {
  FileRequest request;
  request.files = {path("absent"), path("conf")};
  const std::string answer = read_files(request);
  EXPECT_NE(answer.find(quoted("absent") + ":\"ENOENT\""), std::string::npos);
  EXPECT_NE(answer.find(quoted("conf") + ":\"EISDIR\""), std::string::npos);
}

TEST_F(Files, StopsAtTheLimit) {
  write("large", std::string(100'000, 'x'));
  FileRequest request;
  request.files = {path("large")};
  request.max_file_bytes = 20'000;
  EXPECT_LT(read_files(request).size(), 40'000u);
}

TEST_F(Files, ANamespaceThatIsNotThereIsAGap) {
  FileRequest request;
  request.netns = path("absent");
  request.files = {path("top")};
  const std::string answer = read_files(request);
  EXPECT_NE(answer.find("\"gaps\":[{"), std::string::npos);
  EXPECT_EQ(answer.find("one"), std::string::npos);
}

TEST(Features, AnswersForEachFeatureWithAvailabilityOrAGap) {
  const std::string answer = read_features();
  for (const char* name : {"io_uring", "bpf", "sockmap", "msg-zerocopy"}) {
    EXPECT_NE(answer.find('"' + std::string(name) + '"'), std::string::npos) << name << ": " << answer;
  }
  EXPECT_NE(answer.find("\"pageBytes\":" + std::to_string(::sysconf(_SC_PAGESIZE))), std::string::npos);
}

}  // namespace
}  // namespace sockdoc
