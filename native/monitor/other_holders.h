#pragma once

#include <cstdint>
#include <unordered_set>

namespace sockdoc::monitor {

/**
 * Sockets that more than one process has, from one pass over /proc/PID/fd. Asked for those that were there before libsd
 * came into their process: who else got them, nobody has told. Processes that the monitor may not look at are taken for
 * such as have none: for a user's own monitor these are other users'.
 */
class OtherHolders {
 public:
  /**
   * Whether more than one process had the socket at some moment after `since_ns` (CLOCK_MONOTONIC). A yes is as old as
   * ten seconds at most.
   */
  [[nodiscard]] bool has_more(std::uint64_t inode, std::int64_t since_ns);

 private:
  void read();

  std::unordered_set<std::uint64_t> shared_;
  std::int64_t read_ns_ = -1;
};

}  // namespace sockdoc::monitor
