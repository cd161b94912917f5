#include "probes/descriptors/fdinfo.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/fd.h"
#include "base/procfs.h"

namespace sockdoc {
namespace {

constexpr std::array<std::string_view, 11> kShown = {"eventfd-count", "eventfd-semaphore", "clockid",    "ticks",
                                                     "it_value",      "it_interval",       "sigmask",    "Pid",
                                                     "SqThread",      "UserFiles",         "SqThreadCpu"};

/** The number after `key`; blanks may stand between. */
template <typename T>
std::optional<T> number_after(std::string_view line, std::string_view key, int base) {
  const std::size_t at = line.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  line.remove_prefix(at + key.size());
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  return parse_number<T>(line, base);
}

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return text;
}

}  // namespace

FdInfo parse_fdinfo(std::string_view text, std::string_view kind) {
  FdInfo info;
  std::uint64_t inotify_watches = 0;
  while (!text.empty()) {
    std::string_view rest = take_until(text, '\n');
    if (kind == "inotify" && rest.starts_with("inotify wd:")) ++inotify_watches;
    const std::string_view key = take_until(rest, ':');
    const std::string_view value = trimmed(rest);
    if (key == "flags") {
      info.flags = parse_number<std::uint64_t>(value, 8);
    } else if (key == "ino") {
      info.inode = parse_number<std::uint64_t>(value);
    } else if (std::find(kShown.begin(), kShown.end(), key) != kShown.end()) {
      info.extra.emplace_back(key, value);
    }
  }
  if (kind == "inotify") info.extra.emplace_back("watches", std::to_string(inotify_watches));
  return info;
}

void parse_watches(std::string_view text, std::vector<EpollWatch>& watches) {
  while (!text.empty()) {
    const std::string_view line = take_until(text, '\n');
    if (!line.starts_with("tfd:")) continue;
    EpollWatch watch;
    watch.fd = number_after<int>(line, "tfd:", 10).value_or(-1);
    watch.events = number_after<std::uint32_t>(line, "events:", 16).value_or(0);
    watch.inode = number_after<std::uint64_t>(line, " ino:", 16).value_or(0);
    watches.push_back(watch);
  }
}

std::vector<std::string_view> event_names(std::uint32_t events) {
  static constexpr std::array<std::pair<std::uint32_t, std::string_view>, 13> kNames = {{
      {EPOLLIN, "EPOLLIN"},
      {EPOLLPRI, "EPOLLPRI"},
      {EPOLLOUT, "EPOLLOUT"},
      {EPOLLRDNORM, "EPOLLRDNORM"},
      {EPOLLRDBAND, "EPOLLRDBAND"},
      {EPOLLWRNORM, "EPOLLWRNORM"},
      {EPOLLWRBAND, "EPOLLWRBAND"},
      {EPOLLMSG, "EPOLLMSG"},
      {EPOLLRDHUP, "EPOLLRDHUP"},
      {EPOLLEXCLUSIVE, "EPOLLEXCLUSIVE"},
      {EPOLLWAKEUP, "EPOLLWAKEUP"},
      {EPOLLONESHOT, "EPOLLONESHOT"},
      {EPOLLET, "EPOLLET"},
  }};
  std::vector<std::string_view> names;
  for (const auto& [bit, name] : kNames) {
    if ((events & bit) != 0) names.push_back(name);
  }
  return names;
}

std::optional<EpollInfo> read_epoll(const char* path) {
  const Fd fd(::open(path, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return std::nullopt;
  EpollInfo set;
  std::vector<char> buffer(64 << 10);
  std::size_t kept = 0;
  for (bool first = true;; first = false) {
    const ssize_t got = ::read(fd.get(), buffer.data() + kept, buffer.size() - kept);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) return set;
    const std::string_view text(buffer.data(), kept + static_cast<std::size_t>(got));
    const std::size_t lines = text.rfind('\n') + 1;  // 0 when there is none: read on
    if (first) set.info = parse_fdinfo(text.substr(0, lines), "epoll");
    parse_watches(text.substr(0, lines), set.watches);
    kept = text.size() - lines;
    if (kept == buffer.size()) kept = 0;  // no line is that long
    std::copy_n(text.end() - static_cast<std::ptrdiff_t>(kept), kept, buffer.begin());
  }
}

}  // namespace sockdoc
