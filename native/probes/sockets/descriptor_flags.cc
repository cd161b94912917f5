#include "probes/sockets/descriptor_flags.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/procfs.h"

namespace sockdoc {
namespace {

/**
 * The kernel holds the set's mutex while it writes its fdinfo, about 1 µs a watch, during which the program cannot
 * collect events: no more than some 4 ms may come of that.
 */
constexpr int kMaxWatches = 4096;

/** Reads line by line without holding the whole: a set of 4096 watches is some 300 kB of text. */
bool read_lines(const char* path, const std::unordered_set<std::uint32_t>& inodes, EpollRow& row) {
  const Fd fd(::open(path, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return false;
  std::vector<char> buffer(64 << 10);
  std::size_t kept = 0;
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer.data() + kept, buffer.size() - kept);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) break;
    const std::string_view text(buffer.data(), kept + static_cast<std::size_t>(got));
    const std::size_t lines = text.rfind('\n') + 1;  // 0 when there is none: read on
    parse_epoll_watches(text.substr(0, lines), inodes, row);
    kept = text.size() - lines;
    if (kept == buffer.size()) kept = 0;  // no line is that long
    std::copy(buffer.begin() + static_cast<std::ptrdiff_t>(lines),
              buffer.begin() + static_cast<std::ptrdiff_t>(lines + kept), buffer.begin());
  }
  return true;
}

/** The number after `key` in a line of fdinfo; blanks may stand between. */
template <typename T>
std::optional<T> after(std::string_view line, std::string_view key, int base) {
  const std::size_t at = line.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  line.remove_prefix(at + key.size());
  const std::size_t start = line.find_first_not_of(' ');
  if (start == std::string_view::npos) return std::nullopt;
  return parse_number<T>(line.substr(start), base);
}

}  // namespace

void parse_epoll_watches(std::string_view text, const std::unordered_set<std::uint32_t>& listeners, EpollRow& row) {
  while (!text.empty()) {
    const std::string_view line = take_until(text, '\n');
    if (!line.starts_with("tfd:")) continue;
    ++row.watches;
    const auto inode = after<std::uint64_t>(line, "ino:", 16);
    if (!inode || !listeners.contains(static_cast<std::uint32_t>(*inode))) continue;
    const auto events = after<std::uint32_t>(line, "events:", 16).value_or(0);
    row.listeners.push_back({*inode, (events & EPOLLEXCLUSIVE) != 0});
  }
}

std::optional<bool> closes_on_exec(std::string_view fdinfo) {
  const auto flags = parse_number<std::uint64_t>(line_of(fdinfo, "flags:"), 8);
  if (!flags) return std::nullopt;
  return (*flags & O_CLOEXEC) != 0;
}

int inheritable_sockets(const ProcessEntry& process, const DescriptorTable& descriptors, int limit) {
  int inheritable = 0;
  char path[48];
  char buffer[1024];
  for (int i = 0; i < std::min(process.sockets, limit); ++i) {
    const HeldSocket& held = descriptors.at(process.first_held + static_cast<std::uint32_t>(i));
    if (held.fd <= STDERR_FILENO) continue;  // meant to be inherited; a service's output is a socket to the journal
    std::snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", process.pid, held.fd);
    const auto text = read_small(AT_FDCWD, path, buffer);
    if (text && closes_on_exec(*text) == false) ++inheritable;
  }
  return inheritable;
}

std::vector<EpollRow> read_epoll_sets(std::uint32_t index, const ProcessEntry& process,
                                      const DescriptorTable& descriptors,
                                      const std::unordered_set<std::uint32_t>& inodes, Gaps& gaps) {
  std::vector<EpollRow> rows;
  if (process.open > kMaxWatches) {
    gaps.add({"sockets", "epoll sets of processes with more than " + std::to_string(kMaxWatches) + " descriptors",
              "reading them would hold the program up", ""});
    return rows;
  }
  char path[48];
  const auto by_process = [](const HeldEpoll& held, std::uint32_t wanted) { return held.process < wanted; };
  const std::vector<HeldEpoll>& epolls = descriptors.epolls();  // in the order of processes
  for (auto at = std::lower_bound(epolls.begin(), epolls.end(), index, by_process);
       at != epolls.end() && at->process == index; ++at) {
    const HeldEpoll& held = *at;
    std::snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", process.pid, held.fd);
    EpollRow row;
    row.fd = held.fd;
    if (read_lines(path, inodes, row)) {
      rows.push_back(std::move(row));
    } else if (errno != ENOENT && errno != ESRCH) {
      gaps.add_errno("sockets", "epoll sets (/proc/PID/fdinfo)", errno, "CAP_SYS_PTRACE");
    }
  }
  return rows;
}

}  // namespace sockdoc
