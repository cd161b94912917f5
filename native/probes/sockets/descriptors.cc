#include "probes/sockets/descriptors.h"

#include <fcntl.h>

#include <bit>
#include <cerrno>
#include <cstdio>

#include "base/procfs.h"

namespace sockdoc {
namespace {

constexpr std::uint32_t kMultiplier = 2654435769u;  // Knuth: 2^32 / golden ratio

std::size_t slot_of(std::uint32_t inode, std::size_t slots) {
  return (inode * kMultiplier) >> (32 - std::countr_zero(slots));
}

struct Denied {
  std::uint64_t processes = 0;
  int code = 0;
};

}  // namespace

bool read_process_descriptors(int proc, std::uint32_t index, ProcessEntry& process, std::vector<HeldSocket>& held,
                              std::vector<HeldEpoll>& epolls) {
  char path[32];
  char target[64];
  std::snprintf(path, sizeof path, "%d/fd", process.pid);
  FolderReader folder(proc, path);
  if (!folder.valid()) return false;
  process.first_held = static_cast<std::uint32_t>(held.size());
  const bool whole = folder.for_each_number([&](const char* name, int fd) {
    ++process.open;
    if (fd > process.highest) process.highest = fd;
    const auto link = read_link(folder.fd(), name, target);
    if (!link) return;  // closed meanwhile
    if (const auto inode = inode_of_link(*link, "socket")) {
      held.push_back({static_cast<std::uint32_t>(*inode), index, fd, DescriptorTable::kNone});
    } else if (*link == "anon_inode:[eventpoll]") {
      epolls.push_back({index, fd});
    }
  });
  process.sockets = static_cast<int>(held.size() - process.first_held);
  process.descriptors_read = whole;
  return whole;
}

DescriptorTable DescriptorTable::read(ProcessTable& processes, Gaps& gaps) {
  DescriptorTable table;
  const Fd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  Denied denied;
  for (std::uint32_t i = 0; i < processes.all().size(); ++i) {
    errno = 0;
    if (read_process_descriptors(proc.get(), i, processes.at(i), table.held_, table.epolls_)) continue;
    if (errno == ENOENT || errno == ESRCH) continue;  // it has ended meanwhile
    ++denied.processes;
    denied.code = errno;
  }
  if (denied.processes > 0) {
    gaps.add({"sockets", "descriptors of other users' processes", std::strerror(denied.code),
              "root (CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH)", denied.processes});
  }
  table.index();
  return table;
}

DescriptorTable DescriptorTable::of(std::vector<HeldSocket> held, std::vector<HeldEpoll> epolls) {
  DescriptorTable table;
  table.held_ = std::move(held);
  table.epolls_ = std::move(epolls);
  table.index();
  return table;
}

void DescriptorTable::index() {
  const std::size_t slots = std::bit_ceil(held_.size() * 2 + 2);
  slots_.assign(slots, 0);
  // Backwards, so that each chain ends up in the order in which it was read.
  for (std::size_t i = held_.size(); i-- > 0;) {
    std::size_t slot = slot_of(held_[i].inode, slots);
    while (slots_[slot] != 0 && held_[slots_[slot] - 1].inode != held_[i].inode) slot = (slot + 1) & (slots - 1);
    held_[i].next = slots_[slot] == 0 ? kNone : slots_[slot] - 1;
    slots_[slot] = static_cast<std::uint32_t>(i + 1);
  }
}

std::uint32_t DescriptorTable::find(std::uint32_t inode) const {
  if (inode == 0 || slots_.empty()) return kNone;
  const std::size_t slots = slots_.size();
  for (std::size_t slot = slot_of(inode, slots); slots_[slot] != 0; slot = (slot + 1) & (slots - 1)) {
    if (held_[slots_[slot] - 1].inode == inode) return slots_[slot] - 1;
  }
  return kNone;
}

}  // namespace sockdoc
