#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "base/gaps.h"
#include "probes/sockets/process_table.h"

namespace sockdoc {

/** A descriptor of a socket or a pipe. */
struct HeldFile {
  std::uint64_t inode = 0;
  std::uint32_t process = 0;  // index in the ProcessTable
  int fd = -1;
  bool is_pipe = false;
};

/** The descriptors of one process by kind; sockets are told apart later. */
struct DescriptorCounts {
  std::map<std::string_view, int> kinds;
};

/** Who holds which socket and pipe, and what else is open, from one pass over /proc/PID/fd. */
class DescriptorCensus {
 public:
  /** Of the processes for which `wanted` is set (by index), or all. Fills their `open`, `sockets` and `highest`. */
  static DescriptorCensus read(ProcessTable& processes, const std::vector<bool>& wanted, Gaps& gaps);

  [[nodiscard]] const DescriptorCounts& of(std::uint32_t process) const { return counts_[process]; }
  /** Ordered by process, then by descriptor. */
  [[nodiscard]] const std::vector<HeldFile>& held() const { return held_; }
  /** No process's descriptors were denied: what nobody holds here, nobody holds. */
  [[nodiscard]] bool complete() const { return complete_; }

 private:
  std::vector<DescriptorCounts> counts_;
  std::vector<HeldFile> held_;
  bool complete_ = true;
};

}  // namespace sockdoc
