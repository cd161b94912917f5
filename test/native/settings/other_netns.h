#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "base/fd.h"
#include "base/netns.h"

namespace sockdoc {

inline std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/** A network namespace of the test's own; there is none where we may not make one. */
class OtherNetns {
 public:
  OtherNetns() {
    std::thread([this] {
      if (::unshare(CLONE_NEWNET) == 0) fd_ = Fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    }).join();
  }

  [[nodiscard]] bool made() const { return fd_.valid(); }
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(fd_.get()); }

  /** What a file says inside. */
  [[nodiscard]] std::string text_of(const std::string& file) const {
    std::string text;
    EXPECT_TRUE(in_netns(path(), false, [&] { text = sockdoc::text_of(file); }));
    return text;
  }

 private:
  Fd fd_;
};

}  // namespace sockdoc
