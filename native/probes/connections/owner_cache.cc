#include "probes/connections/owner_cache.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/fd.h"

namespace sockdoc {
namespace {

/** How many descriptors a process has; -1 before Linux 6.2, and where the folder may not be looked at. */
std::int64_t descriptor_count(int proc, int pid) {
  char path[32];
  std::snprintf(path, sizeof path, "%d/fd", pid);
  struct stat info {};
  if (::fstatat(proc, path, &info, 0) != 0 || info.st_size == 0) return -1;
  return info.st_size;
}

/** Not all processes at the same reading. */
double oldest_ms(int pid) {
  return OwnerCache::kOldestMs - (static_cast<std::uint32_t>(pid) * 2654435761u >> 16) % 5000;
}

}  // namespace

/** One refresh under way. */
class OwnerCache::Refresh {
 public:
  Refresh(OwnerCache& cache, ProcessTable& processes, std::vector<std::uint32_t> inodes, double now_ms)
      : cache_(cache),
        processes_(processes),
        inodes_(std::move(inodes)),
        now_ms_(now_ms),
        proc_(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC)) {}

  DescriptorTable run() {
    cache_.walked_.clear();
    cache_.denied_ = 0;
    if (now_ms_ - cache_.searched_ms_ >= kOldestMs) {
      cache_.ownerless_.clear();
      cache_.searched_ms_ = now_ms_;
    }
    for (auto& [pid, known] : cache_.known_) known.alive = false;
    for (std::uint32_t i = 0; i < processes_.all().size(); ++i) walk_if_changed(i);
    walk_oldest();
    std::erase_if(cache_.known_, [](const auto& entry) { return !entry.second.alive; });
    table();
    if (any_unknown()) search([this](const Known& known) { return has_lost_one(known); });
    if (any_unknown()) search([](const Known& known) { return known.readable && known.open > 0; });
    cache_.ownerless_ = {without_holder_.begin(), without_holder_.end()};
    return std::move(table_);
  }

 private:
  void walk_if_changed(std::uint32_t index) {
    const ProcessEntry& process = processes_.at(index);
    Known& known = cache_.known_[process.pid];
    const std::int64_t count = descriptor_count(proc_.get(), process.pid);
    const bool same =
        known.start_ticks == process.stat.start_ticks && known.count == count && count >= 0 && known.readable;
    known.alive = true;
    known.count = count;
    if (!same) {
      walk(index, known);
    } else if (now_ms_ - known.walked_ms >= oldest_ms(process.pid)) {
      old_.push_back({known.walked_ms, index});
    }
  }

  void walk_oldest() {
    std::sort(old_.begin(), old_.end());
    int left = kOldDescriptors;
    for (const auto& [walked_ms, index] : old_) {
      if (left <= 0) return;
      Known& known = cache_.known_.at(processes_.at(index).pid);
      walk(index, known);
      left -= std::max(known.open, 1);
    }
  }

  void walk(std::uint32_t index, Known& known) {
    ProcessEntry& process = processes_.at(index);
    process.open = 0;
    process.highest = -1;
    std::vector<HeldSocket> held;
    std::vector<HeldEpoll> epolls;
    errno = 0;
    known.readable = read_process_descriptors(proc_.get(), index, process, held, epolls);
    if (!known.readable && (errno == EACCES || errno == EPERM)) ++cache_.denied_;
    known.start_ticks = process.stat.start_ticks;
    known.walked_ms = now_ms_;
    known.open = process.open;
    known.highest = process.highest;
    known.sockets.clear();
    for (const HeldSocket& socket : held) known.sockets.push_back({socket.inode, socket.fd});
    known.epolls.clear();
    for (const HeldEpoll& epoll : epolls) known.epolls.push_back(epoll.fd);
    cache_.walked_.insert(process.pid);
  }

  /** Makes the table of what is known now. */
  void table() {
    std::vector<HeldSocket> held;
    std::vector<HeldEpoll> epolls;
    held.reserve(inodes_.size());
    for (std::uint32_t i = 0; i < processes_.all().size(); ++i) {
      ProcessEntry& process = processes_.at(i);
      const Known& known = cache_.known_.at(process.pid);
      process.descriptors_read = known.readable;
      process.open = known.open;
      process.highest = known.highest;
      process.sockets = static_cast<int>(known.sockets.size());
      process.first_held = static_cast<std::uint32_t>(held.size());
      for (const Socket& socket : known.sockets) held.push_back({socket.inode, i, socket.fd, DescriptorTable::kNone});
      for (const int fd : known.epolls) epolls.push_back({i, fd});
    }
    table_ = DescriptorTable::of(std::move(held), std::move(epolls));
    without_holder_.clear();
    for (const std::uint32_t inode : inodes_) {
      if (inode != 0 && table_.find(inode) == DescriptorTable::kNone) without_holder_.push_back(inode);
    }
  }

  /** Whether there is a socket without a known holder that was not searched for in vain before. */
  bool any_unknown() const {
    return std::any_of(without_holder_.begin(), without_holder_.end(),
                       [this](std::uint32_t inode) { return !cache_.ownerless_.contains(inode); });
  }

  bool has_lost_one(const Known& known) {
    if (!sorted_) std::sort(inodes_.begin(), inodes_.end());
    sorted_ = true;
    return std::any_of(known.sockets.begin(), known.sockets.end(), [this](const Socket& socket) {
      return !std::binary_search(inodes_.begin(), inodes_.end(), socket.inode);
    });
  }

  template <typename Wanted>
  void search(Wanted wanted) {
    bool found = false;
    for (std::uint32_t i = 0; i < processes_.all().size(); ++i) {
      const int pid = processes_.at(i).pid;
      Known& known = cache_.known_.at(pid);
      if (cache_.walked_.contains(pid) || !wanted(known)) continue;
      walk(i, known);
      found = true;
    }
    if (found) table();
  }

  OwnerCache& cache_;
  ProcessTable& processes_;
  std::vector<std::uint32_t> inodes_;
  double now_ms_;
  Fd proc_;
  DescriptorTable table_;
  std::vector<std::uint32_t> without_holder_;          // by this table
  std::vector<std::pair<double, std::uint32_t>> old_;  // when they were read, and which
  bool sorted_ = false;
};

DescriptorTable OwnerCache::refresh(ProcessTable& processes, std::vector<std::uint32_t> inodes, double now_ms) {
  return Refresh(*this, processes, std::move(inodes), now_ms).run();
}

}  // namespace sockdoc
