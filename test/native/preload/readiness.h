#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "preload/calls.h"
#include "preload/monitor/link.h"
#include "preload/originals.h"
#include "preload/readiness/sets.h"
#include "ringed_pair.h"

namespace sockdoc::preload {

inline constexpr int kSecond = 1000;
inline constexpr int kLong = 20 * kSecond;  // never reached unless something is broken

/** The hooks are called by their names, without patches; bytes come by a ring or by the kernel, as the mark says. */
class Readiness : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    sockdoc_resolve_originals();
    ASSERT_TRUE(table.start());
    monitor_link.configure("/nonexistent/monitor.sock");
    epoll_sets.start();
    ASSERT_TRUE(epoll_sets.started());
  }
};

/** An epoll set. */
class Set {
 public:
  Set() : fd(sockdoc_hook_epoll_create1(EPOLL_CLOEXEC)) {}
  ~Set() { sockdoc_hook_close(fd); }
  int control(int operation, int member, std::uint32_t events, std::uint64_t data) const {
    epoll_event event = {};
    event.events = events;
    event.data.u64 = data;
    return sockdoc_hook_epoll_ctl(fd, operation, member, &event);
  }
  int add(int member, std::uint32_t events, std::uint64_t data) const {
    return control(EPOLL_CTL_ADD, member, events, data);
  }
  int change(int member, std::uint32_t events, std::uint64_t data) const {
    return control(EPOLL_CTL_MOD, member, events, data);
  }
  /** "5:1 7:5": data and events of what is ready, in the order of the data. */
  [[nodiscard]] std::string ready(int timeout = 0, int most = 16) const {
    std::vector<epoll_event> events(static_cast<std::size_t>(most));
    const int count = sockdoc_hook_epoll_wait(fd, events.data(), most, timeout);
    if (count < 0) return "error " + std::to_string(errno);
    std::map<std::uint64_t, std::string> found;
    for (int i = 0; i < count; i++) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      EXPECT_EQ(found.count(event.data.u64), 0U) << "two events of one descriptor";
      found[event.data.u64] = std::to_string(event.data.u64) + ":" + std::to_string(event.events);
    }
    std::string result;
    for (const auto& [data, text] : found) result += (result.empty() ? "" : " ") + text;
    return result;
  }
  int fd;
};

}  // namespace sockdoc::preload
