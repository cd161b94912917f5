#pragma once

#include <atomic>
#include <cstdint>

#include "preload/readiness/epoll_set.h"

namespace sockdoc::preload {

/** The epoll sets of this process. */
class EpollSets {
 public:
  /** From now on sets are followed; before, no call is looked at. */
  void start();
  /** Sets are the kernel's alone again: nothing of ours is in them. With all other threads stopped. */
  void stop();
  [[nodiscard]] bool started() const { return started_.load(std::memory_order_relaxed); }

  void record(int fd);
  /** The set behind a descriptor; null for what is none. */
  [[nodiscard]] EpollSet* find(int fd) const {
    const Handle handle = table.find(fd);
    return handle ? find(handle) : nullptr;
  }
  [[nodiscard]] EpollSet* find(Handle handle) const {
    const SocketWaits* waits = sleepers.known_waits(handle.index());
    EpollSet* set = waits == nullptr ? nullptr : waits->set.load(std::memory_order_acquire);
    return set != nullptr && set->handle().word() == handle.word() ? set : nullptr;
  }
  /** The same, and one that was there before libsd or came from elsewhere is taken in with its members. */
  [[nodiscard]] EpollSet* find_or_recover(int fd);
  /** The members of a recorded set as the kernel has them. With all other threads stopped. */
  void recover(int fd);

  /** True when a thread sleeps on a set that this socket is in. */
  [[nodiscard]] bool sleep_on(std::uint32_t socket) const;

  /** What tells a sleeper of a set to look again: always readable; see EpollSet::kick. -1 without one. */
  [[nodiscard]] int bell() const;
  [[nodiscard]] static std::uint64_t bell_data();

  /** One byte of each set that all processes share which have it from one another. */
  [[nodiscard]] std::atomic<std::uint8_t>* used_elsewhere(std::uint32_t place) const {
    return elsewhere_ == nullptr ? nullptr : &elsewhere_[place];
  }

 private:
  static constexpr unsigned kMost = 4096;

  EpollSet* attach(int fd);
  bool recover(EpollSet& set, int fd);

  std::atomic<EpollSet*> sets_[kMost] = {};
  std::atomic<std::uint32_t> count_{0};
  std::atomic<bool> started_{false};
  std::atomic<std::uint64_t> recovering_{0};
  std::atomic<int> bell_{-1};  // its place among our own descriptors
  std::atomic<std::uint8_t>* elsewhere_ = nullptr;
};

extern EpollSets epoll_sets;

}  // namespace sockdoc::preload
