#include "probes/descriptors/census.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/procfs.h"
#include "probes/descriptors/kinds.h"

namespace sockdoc {
namespace {

/**
 * False when it could not be read. A folder may be listed whose links may not be read (another user namespace): then
 * nothing is known but how many there are.
 */
bool read_process(int proc, std::uint32_t index, ProcessEntry& process, DescriptorCounts& counts,
                  std::vector<HeldFile>& held) {
  char path[32];
  char target[64];
  std::snprintf(path, sizeof path, "%d/fd", process.pid);
  FolderReader folder(proc, path);
  if (!folder.valid()) return false;
  bool denied = false;
  const bool whole = folder.for_each_number([&](const char* name, int fd) {
    const auto link = read_link(folder.fd(), name, target);
    denied = denied || (!link && (errno == EACCES || errno == EPERM));
    if (!link) return;  // closed meanwhile
    ++process.open;
    process.highest = std::max(process.highest, fd);
    const DescriptorKind kind = descriptor_kind(*link);
    ++counts.kinds[kind.name];
    if (kind.inode == 0) return;
    const bool is_pipe = kind.name == "pipe";
    if (!is_pipe) ++process.sockets;
    held.push_back({kind.inode, index, fd, is_pipe});
  });
  if (denied) {
    // A link of a process that has ended meanwhile says that too (proc_fd_access_allowed() in fs/proc/base.c).
    std::snprintf(path, sizeof path, "%d", process.pid);
    errno = ::faccessat(proc, path, F_OK, 0) == 0 ? EACCES : ENOENT;
  }
  process.descriptors_read = whole && !denied;
  return process.descriptors_read;
}

}  // namespace

DescriptorCensus DescriptorCensus::read(ProcessTable& processes, const std::vector<bool>& wanted, Gaps& gaps) {
  DescriptorCensus census;
  census.counts_.resize(processes.all().size());
  const Fd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  std::uint64_t denied = 0;
  int code = 0;
  for (std::uint32_t i = 0; i < processes.all().size(); ++i) {
    if (!wanted.empty() && !wanted[i]) continue;
    errno = 0;
    if (read_process(proc.get(), i, processes.at(i), census.counts_[i], census.held_)) continue;
    if (errno == ENOENT || errno == ESRCH) continue;  // it has ended meanwhile
    code = errno;
    ++denied;
  }
  census.complete_ = denied == 0;
  if (denied > 0) {
    gaps.add({"descriptors", "descriptors of other users' processes", std::strerror(code),
              "root (CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH)", denied});
  }
  return census;
}

}  // namespace sockdoc
