#include "monitor/other_holders.h"

#include <fcntl.h>

#include <cstdio>
#include <unordered_map>

#include "base/procfs.h"
#include "monitor/clock.h"

namespace sockdoc::monitor {
bool OtherHolders::has_more(std::uint64_t inode, std::int64_t since_ns) {
  constexpr std::int64_t kOld = 10'000'000'000;
  if (read_ns_ < since_ns) read();
  if (shared_.contains(inode) && monotonic_ns() - read_ns_ > kOld) read();
  return shared_.contains(inode);
}

void OtherHolders::read() {
  read_ns_ = monotonic_ns();
  shared_.clear();
  std::unordered_map<std::uint64_t, int> first;
  FolderReader processes(AT_FDCWD, "/proc");
  if (!processes.valid()) return;
  (void)processes.for_each_number([&](const char*, int pid) {
    char path[32];
    std::snprintf(path, sizeof path, "%d/fd", pid);
    FolderReader descriptors(processes.fd(), path);
    if (!descriptors.valid()) return;
    (void)descriptors.for_each_number([&](const char* name, int) {
      char target[64];
      const auto link = read_link(descriptors.fd(), name, target);
      const auto inode = link ? inode_of_link(*link, "socket") : std::nullopt;
      if (!inode) return;
      const auto [known, fresh] = first.try_emplace(*inode, pid);
      if (!fresh && known->second != pid) shared_.insert(*inode);
    });
  });
}

}  // namespace sockdoc::monitor
