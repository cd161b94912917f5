#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sockdoc {

/** A watch of an epoll set: a `tfd:` line, proc_pid_fdinfo(5). */
struct EpollWatch {
  int fd = -1;
  std::uint32_t events = 0;
  std::uint64_t inode = 0;
};

/** What /proc/PID/fdinfo/FD says. */
struct FdInfo {
  std::optional<std::uint64_t> flags;  // as open(2) has them
  std::optional<std::uint64_t> inode;  // Linux 5.14
  /** Lines of its kind: "eventfd-count" → "3". Those of inotify are only counted ("watches"). */
  std::vector<std::pair<std::string, std::string>> extra;
};

/** `kind` as descriptor_kind() names it: what is worth showing depends on it. */
FdInfo parse_fdinfo(std::string_view text, std::string_view kind);

/** Takes the watches of what is given; may be called with further text, cut at the end of a line. */
void parse_watches(std::string_view text, std::vector<EpollWatch>& watches);

/** The names of the set bits ("EPOLLIN", …), without EPOLLERR and EPOLLHUP, which are always watched. */
std::vector<std::string_view> event_names(std::uint32_t events);

/** An epoll set: its flags and all its watches. */
struct EpollInfo {
  FdInfo info;
  std::vector<EpollWatch> watches;
};

/** nullopt with errno set. The kernel holds the set's mutex for about 1 µs a watch. */
std::optional<EpollInfo> read_epoll(const char* path);

}  // namespace sockdoc
