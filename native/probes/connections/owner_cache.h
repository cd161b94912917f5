#pragma once

#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "probes/sockets/descriptors.h"

namespace sockdoc {

/**
 * Remembers which process holds which sockets, so that a reading need not look at every descriptor of the host again.
 * The descriptors of a process are read anew when
 * - it is new (a pid used again is told by its start time),
 * - its number of descriptors has changed (/proc/PID/fd's size, Linux 6.2; on older kernels at every reading),
 * - a socket was seen whose holder is not known, and the process no longer holds one that it held, or, if that does not
 *   find it, holds sockets at all,
 * - it was last read kOldestMs ago, and it is among those whose turn it is: kOldDescriptors at a reading, the longest
 * unread first. So a new socket always gets its holder at once. What may be shown wrong until a process is read anew is
 * the number of a descriptor, or one of several holders, after a process has moved a socket to another number, or
 * closed one that others hold too, and has opened something else in the same interval.
 */
class OwnerCache {
 public:
  static constexpr double kOldestMs = 10'000;
  /** Descriptors of processes without a visible change that one refresh() reads again; of one process at least. */
  static constexpr int kOldDescriptors = 2000;

  /** The table of this reading; fills the descriptor counts of the processes. `inodes`: of the sockets seen. */
  DescriptorTable refresh(ProcessTable& processes, std::vector<std::uint32_t> inodes, double now_ms);

  /** Processes whose descriptors may not be read. */
  [[nodiscard]] std::size_t denied() const { return denied_; }
  /** Processes whose descriptors the last refresh() read; for tests. */
  [[nodiscard]] std::size_t walked() const { return walked_.size(); }

 private:
  struct Socket {
    std::uint32_t inode;
    int fd;
  };
  struct Known {
    std::uint64_t start_ticks = 0;
    std::int64_t count = -1;  // descriptors, by the size of the folder; -1 where the kernel does not say
    double walked_ms = 0;
    bool readable = false;
    int open = 0;
    int highest = -1;
    std::vector<Socket> sockets;
    std::vector<int> epolls;
    bool alive = false;
  };

  class Refresh;

  std::unordered_map<int, Known> known_;
  std::unordered_set<std::uint32_t> ownerless_;  // nobody whom we may see holds them
  std::unordered_set<int> walked_;
  std::size_t denied_ = 0;
  double searched_ms_ = 0;  // when everything was last searched for the ownerless
};

}  // namespace sockdoc
