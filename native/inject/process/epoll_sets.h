#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "probes/bpf/map.h"
#include "probes/bpf/task_iterator.h"

namespace sockdoc::inject {

/** How many epoll sets a process has, and which of them nobody else can reach. */
struct EpollSets {
  std::uint64_t count = 0;
  std::vector<std::vector<std::int32_t>> own;  // of each, its numbers, which rise like these
  std::string unclear;                         // why none of them is told of
};

/**
 * Tells of epoll sets by the kernel's own counts: a set that is referred to just as often as the process has it among
 * its descriptors is in no other process, in no message on its way to one, and nobody is in a call on it; and no set of
 * anybody has it as a member. So it can only be told while all threads stand still.
 * docs/decisions/0080-sets-from-before-defer-where-nobody-else-has-them.md
 */
class EpollSetsCounter {
 public:
  /** Before anything is stopped, since it takes milliseconds: for one process, once. */
  void prepare(pid_t pid);
  /** With all threads of it stopped. Nothing where it had no set when that was prepared. */
  [[nodiscard]] std::optional<EpollSets> count() const;

 private:
  [[nodiscard]] Result<bpf::TaskIterator> load();
  [[nodiscard]] Status calibrate(const bpf::TaskIterator& iterator, std::span<const int> numbers);

  pid_t pid_ = 0;
  std::optional<bpf::Map> asked_;
  std::uint64_t kind_ = 0;  // as the kernel has it of each epoll set
  std::uint64_t base_ = 0;  // references that the kernel counts of a file which has none
  std::optional<Result<Fd>> link_;
};

}  // namespace sockdoc::inject
