#include "inject/target/memory_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

namespace sockdoc::inject {
namespace {

std::string link_of(const Fd& fd) { return "/proc/self/fd/" + std::to_string(fd.get()); }

/** Of a folder that goes with it. */
class Folder {
 public:
  Folder() { EXPECT_NE(::mkdtemp(path_), nullptr); }
  ~Folder() {
    ::unlink(file().c_str());
    ::rmdir(path_);
  }
  [[nodiscard]] std::string file() const { return std::string(path_) + "/file"; }

 private:
  char path_[32] = "/tmp/sockdoc-memory-XXXXXX";
};

TEST(MemoryFile, IsWritten) {
  const Fd memory(::memfd_create("test", MFD_CLOEXEC));
  const Fd opened = open_memory_file(link_of(memory));
  ASSERT_TRUE(opened.valid());
  ASSERT_EQ(::write(opened.get(), "abc", 3), 3);
  char text[4] = {};
  EXPECT_EQ(::pread(memory.get(), text, 3, 0), 3);
  EXPECT_STREQ(text, "abc");
  EXPECT_FALSE(open_memory_file(link_of(memory)).valid()) << "somebody uses it already";
}

TEST(MemoryFile, IsNoOtherFileThatOnlyWeMayWrite) {
  const Folder folder;
  const Fd made(::open(folder.file().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  const Fd readable(::open(folder.file().c_str(), O_RDONLY | O_CLOEXEC));
  const Fd named(::open(folder.file().c_str(), O_PATH | O_CLOEXEC));
  for (const Fd* one : {&readable, &named}) {
    ASSERT_TRUE(one->valid());
    EXPECT_FALSE(open_memory_file(link_of(*one)).valid());
    EXPECT_EQ(errno, EPERM);
  }
}

/** One that waits for its other end is not waited for. */
TEST(MemoryFile, IsNoPipe) {
  const Folder folder;
  ASSERT_EQ(::mkfifo(folder.file().c_str(), 0600), 0);
  const Fd pipe(::open(folder.file().c_str(), O_PATH | O_CLOEXEC));
  EXPECT_FALSE(open_memory_file(link_of(pipe)).valid());
  EXPECT_EQ(errno, EPERM);
}

TEST(MemoryFile, IsNoDescriptorThatIsNotThere) {
  EXPECT_FALSE(open_memory_file("/proc/self/fd/19999").valid());
  EXPECT_EQ(errno, ENOENT);
}

}  // namespace
}  // namespace sockdoc::inject
