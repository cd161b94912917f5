#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/gaps.h"
#include "probes/sockets/descriptors.h"

namespace sockdoc {

/** A listener in an epoll set. */
struct WatchedListener {
  std::uint64_t inode = 0;
  bool exclusive = false;  // EPOLLEXCLUSIVE
};

/** What /proc/PID/fdinfo/FD says of an epoll set, proc_pid_fdinfo(5). */
struct EpollRow {
  int fd = -1;
  std::uint64_t watches = 0;
  std::vector<WatchedListener> listeners;
};

/** Takes what is given of an fdinfo apart; may be called with further text, cut at the end of a line. */
void parse_epoll_watches(std::string_view text, const std::unordered_set<std::uint32_t>& listeners, EpollRow& row);

/** The octal `flags:` of an fdinfo hold O_CLOEXEC. nullopt without such a line. */
std::optional<bool> closes_on_exec(std::string_view fdinfo);

/** Of the first `limit` sockets of the process, how many a program that it starts would inherit, beside the standard
 * three. */
int inheritable_sockets(const ProcessEntry& process, const DescriptorTable& descriptors, int limit);

/** The epoll sets of one process. `inodes` are those of listeners, whatever process has them. */
std::vector<EpollRow> read_epoll_sets(std::uint32_t index, const ProcessEntry& process,
                                      const DescriptorTable& descriptors,
                                      const std::unordered_set<std::uint32_t>& inodes, Gaps& gaps);

}  // namespace sockdoc
