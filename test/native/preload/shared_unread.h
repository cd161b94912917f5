#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <utility>

#include "preload/connection/unread.h"

namespace sockdoc::preload {

/** The bytes that this process has set aside, as another one has them. */
class TheirUnread {
 public:
  TheirUnread() {
    for (int fd = 3; fd < 1024 && bytes.left() == 0; fd++) {
      // Others have an error, and no bytes.
      if (UnreadBytes::is_ours(fd) && bytes.open(fd) && bytes.left() == 0) bytes.drop();
    }
  }
  ~TheirUnread() { bytes.drop(); }
  TheirUnread(const TheirUnread&) = delete;
  TheirUnread& operator=(const TheirUnread&) = delete;

  UnreadBytes bytes;
};

/** Does something as soon as the thread that made it waits, as libsd does; or never, where it did not in its block. */
class OnceItWaits {
 public:
  template <typename Act>
  explicit OnceItWaits(Act act)
      : other_([this, act, path = "/proc/self/task/" + std::to_string(::syscall(SYS_gettid)) + "/syscall"] {
          while (!over_) {
            long number = -1;
            if (std::ifstream(path) >> number && number == SYS_nanosleep) return act();
            std::this_thread::yield();
          }
        }) {}
  ~OnceItWaits() {
    over_ = true;
    other_.join();
  }
  OnceItWaits(const OnceItWaits&) = delete;
  OnceItWaits& operator=(const OnceItWaits&) = delete;

 private:
  std::atomic<bool> over_{false};
  std::thread other_;
};

}  // namespace sockdoc::preload
