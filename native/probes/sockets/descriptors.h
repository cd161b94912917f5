#pragma once

#include <cstdint>
#include <vector>

#include "base/gaps.h"
#include "probes/sockets/process_table.h"

namespace sockdoc {

/** A descriptor that refers to a socket. */
struct HeldSocket {
  std::uint32_t inode = 0;
  std::uint32_t process = 0;  // index in the ProcessTable
  int fd = -1;
  std::uint32_t next = 0;  // next of the same inode
};

/** An epoll descriptor. */
struct HeldEpoll {
  std::uint32_t process = 0;
  int fd = -1;
};

/**
 * Reads the descriptors of the process at `index` of the ProcessTable: appends its sockets and epoll sets, fills its
 * counts. False with errno when the folder cannot be read. `proc` is an open /proc.
 */
bool read_process_descriptors(int proc, std::uint32_t index, ProcessEntry& process, std::vector<HeldSocket>& held,
                              std::vector<HeldEpoll>& epolls);

/** Every process's sockets by inode, from one pass over /proc/PID/fd. */
class DescriptorTable {
 public:
  static constexpr std::uint32_t kNone = ~0u;

  /** Also fills the descriptor counts of the processes. */
  static DescriptorTable read(ProcessTable& processes, Gaps& gaps);

  /** A table of what is given. */
  static DescriptorTable of(std::vector<HeldSocket> held, std::vector<HeldEpoll> epolls = {});

  /** The first descriptor of a socket, in the order of pids, or kNone; the others follow by `next`. */
  [[nodiscard]] std::uint32_t find(std::uint32_t inode) const;
  [[nodiscard]] const HeldSocket& at(std::uint32_t index) const { return held_[index]; }
  [[nodiscard]] const std::vector<HeldEpoll>& epolls() const { return epolls_; }

  /** Calls `visit(held)` once for each process that holds the socket, with its first descriptor. */
  template <typename Visit>
  void for_each_owner(std::uint32_t inode, Visit visit) const {
    for_each_owner_from(find(inode), visit);
  }
  /** The same from what find() gave. */
  template <typename Visit>
  void for_each_owner_from(std::uint32_t first, Visit visit) const {
    std::uint32_t last = kNone;
    for (std::uint32_t at = first; at != kNone; at = held_[at].next) {
      if (held_[at].process == last) continue;
      last = held_[at].process;
      visit(held_[at]);
    }
  }

 private:
  void index();

  std::vector<HeldSocket> held_;
  std::vector<HeldEpoll> epolls_;
  std::vector<std::uint32_t> slots_;  // open addressing: index + 1 into held_, 0 for free
};

}  // namespace sockdoc
