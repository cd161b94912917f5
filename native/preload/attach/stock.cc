#include "preload/attach/stock.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "base/raw.h"
#include "preload/connection/connections.h"
#include "preload/readiness/set_members.h"
#include "preload/readiness/sets.h"
#include "preload/table/open_descriptors.h"
#include "preload/table/own.h"
#include "preload/table/table.h"

namespace sockdoc::preload {
namespace {

/** Sockets by inode, each with the first of its descriptors. */
class FirstDescriptors {
 public:
  FirstDescriptors() {
    const long mapped =
        raw(SYS_mmap, 0, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!failed(mapped)) entries_ = reinterpret_cast<Entry*>(mapped);
  }
  ~FirstDescriptors() {
    if (entries_ != nullptr) raw(SYS_munmap, entries_, kBytes);
  }
  FirstDescriptors(const FirstDescriptors&) = delete;
  FirstDescriptors& operator=(const FirstDescriptors&) = delete;

  [[nodiscard]] bool usable() const { return entries_ != nullptr; }

  /** The first descriptor of this inode, which is `fd` where there was none; -1 where there is no room. */
  int first(std::uint64_t inode, int fd) {
    if (used_ == kMost) return -1;
    std::size_t at = (inode * 0x9e3779b97f4a7c15) >> (64 - kBits);
    for (; entries_[at].inode != 0; at = (at + 1) % kPlaces) {
      if (entries_[at].inode == inode) return entries_[at].fd;
    }
    entries_[at] = {inode, fd};
    used_++;
    return fd;
  }

 private:
  struct Entry {
    std::uint64_t inode;
    int fd;
  };
  static constexpr unsigned kBits = 18;
  static constexpr std::size_t kPlaces = std::size_t{1} << kBits;
  static constexpr std::size_t kMost = kPlaces / 2;
  static constexpr std::size_t kBytes = kPlaces * sizeof(Entry);

  Entry* entries_ = nullptr;
  std::size_t used_ = 0;
};

/** Epoll sets in the order of kcmp(2), so that the descriptors of one are found together. */
class Sets {
 public:
  enum class Place { fresh, known, unknown };

  /** `known`: by `other` too. `unknown`: the kernel does not say, or there are too many. */
  Place add(int fd, int& other) {
    std::size_t low = 0;
    std::size_t high = count_;
    const long me = raw(SYS_getpid);
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      const long order = raw(SYS_kcmp, me, me, 0 /* KCMP_FILE */, fd, fds_[middle]);
      if (failed(order) || order > 2) return Place::unknown;
      if (order == 0) {
        other = fds_[middle];
        return Place::known;
      }
      order == 1 ? high = middle : low = middle + 1;
    }
    if (count_ == kMost) return Place::unknown;
    for (std::size_t i = count_; i > low; i--) fds_[i] = fds_[i - 1];
    fds_[low] = fd;
    count_++;
    return Place::fresh;
  }

 private:
  static constexpr std::size_t kMost = 1024;
  int fds_[kMost] = {};
  std::size_t count_ = 0;
};

void add_set(Sets& sets, int fd, EpollSet::Changes changes) {
  int other = -1;
  switch (sets.add(fd, other)) {
    case Sets::Place::fresh:
      return epoll_sets.record(fd, changes);
    case Sets::Place::known:
      return table.share(other, fd);
    case Sets::Place::unknown:
      // What is changed by one descriptor of a set would not be seen by the other.
      return sleepers.keep_all(abi::Reason::interest_unclear);
  }
}

}  // namespace

void take_stock(std::span<const std::int32_t> own_sets) {
  connections.begin_era();
  table.renew();
  FirstDescriptors sockets;
  Sets sets;
  each_open_descriptor([&](int fd) {
    struct stat info = {};
    if (own_descriptors.owns(fd) || failed(raw(SYS_fstat, fd, &info))) return;
    if (S_ISSOCK(info.st_mode)) {
      const int first = sockets.usable() ? sockets.first(info.st_ino, fd) : -1;
      if (first == fd) return table.adopt(fd);
      if (first < 0) return table.take_stock(fd);
      if (table.find(fd).word() != table.find(first).word()) table.share(first, fd);
      return;
    }
    if (!epoll_sets.started() || !is_epoll(fd)) return;
    const bool own = std::find(own_sets.begin(), own_sets.end(), fd) != own_sets.end();
    add_set(sets, fd, own ? EpollSet::Changes::may_wait : EpollSet::Changes::at_once);
  });
  // Members may be sets themselves.
  table.each([](int fd, Handle handle) {
    if (epoll_sets.find(handle) != nullptr) epoll_sets.recover(fd);
  });
}

}  // namespace sockdoc::preload
