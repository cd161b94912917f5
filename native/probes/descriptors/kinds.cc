#include "probes/descriptors/kinds.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/procfs.h"

namespace sockdoc {
namespace {

/** Longer beginnings before shorter ones. */
constexpr std::array<std::pair<std::string_view, std::string_view>, 32> kByBeginning = {{
    {"anon_inode:[eventpoll]", "epoll"},
    {"anon_inode:[eventfd", "eventfd"},
    {"anon_inode:[timerfd", "timerfd"},
    {"anon_inode:[signalfd", "signalfd"},
    {"anon_inode:inotify", "inotify"},
    {"anon_inode:[fanotify", "fanotify"},
    {"anon_inode:[io_uring", "io_uring"},
    {"anon_inode:[pidfd", "pidfd"},
    {"anon_inode:[userfaultfd", "userfaultfd"},
    {"anon_inode:[perf_event", "perf-event"},
    {"anon_inode:bpf", "bpf"},
    {"anon_inode:[bpf", "bpf"},
    {"anon_inode:btf", "bpf"},
    {"anon_inode:", "anonymous"},
    {"pidfd:", "pidfd"},
    {"/memfd:", "memfd"},
    {"net:[", "namespace"},
    {"mnt:[", "namespace"},
    {"pid:[", "namespace"},
    {"user:[", "namespace"},
    {"uts:[", "namespace"},
    {"ipc:[", "namespace"},
    {"time:[", "namespace"},
    {"cgroup:[", "namespace"},
    {"/dev/pts/", "terminal"},
    {"/dev/tty", "terminal"},
    {"/dev/console", "terminal"},
    {"/dev/ptmx", "terminal"},
    {"/dev/shm/", "file"},
    {"/dev/mqueue/", "file"},
    {"/dev/", "device"},
    {"/", "file"},
}};

}  // namespace

DescriptorKind descriptor_kind(std::string_view target) {
  if (const auto inode = inode_of_link(target, "socket")) return {"socket", *inode};
  if (const auto inode = inode_of_link(target, "pipe")) return {"pipe", *inode};
  for (const auto& [beginning, name] : kByBeginning) {
    if (target.starts_with(beginning)) return {name};
  }
  return {"other"};
}

std::string socket_kind(std::string_view protocol) {
  if (protocol.starts_with("UNIX")) return "unix";
  if (protocol.starts_with("AF_")) protocol.remove_prefix(3);
  if (protocol.ends_with("v6")) protocol.remove_suffix(2);
  std::string kind(protocol);
  std::transform(kind.begin(), kind.end(), kind.begin(),
                 [](unsigned char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return kind.empty() ? "socket" : kind;
}

}  // namespace sockdoc
