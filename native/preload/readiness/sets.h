#pragma once

#include <atomic>
#include <cstdint>

#include "preload/connection/connection.h"
#include "preload/readiness/epoll_set.h"
#include "preload/thread.h"

namespace sockdoc::preload {

/** The epoll sets of this process. */
class EpollSets {
 public:
  /** From now on sets are followed; before, no call is looked at. */
  void start();
  /** Sets are the kernel's alone again: nothing of ours is in them. With all other threads stopped. */
  void stop();
  [[nodiscard]] bool started() const { return started_.load(std::memory_order_relaxed); }

  /** `changes`: whether no other process has it, nor anybody here who asks the kernel about it by himself. */
  void record(int fd, EpollSet::Changes changes);
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

  /** Of all sets: see EpollSet::defer(). */
  void deferred() { deferred_.fetch_add(1); }
  void settled(std::uint32_t changes) { deferred_.fetch_sub(changes); }
  [[nodiscard]] bool anything_deferred() const { return deferred_.load() != 0; }
  void settle_all();
  void defer_no_more();
  /** Before a fork, until nobody else has them any more. */
  void lend();
  /** In a child with its own memory. */
  void forked();
  /** A number of this socket is about to be closed: the kernel does not forget it as long as the socket is open. */
  void before_close(Handle socket);
  /** A program is executed, perhaps by a child of vfork() on our memory, that gets the sets which this does not close.
   */
  void before_exec();
  /** Something is deferred in a set that is still there. */
  [[nodiscard]] bool unsettled() const;

  /** The socket is in no other set. */
  [[nodiscard]] bool only_in(const EpollSet& set, Handle socket) const;
  /** A thread is about to sleep on that socket by itself: before it says so. */
  void sleeps_beside_watch(Handle socket) {
    Connection* connection = one_thread() ? nullptr : connection_of(socket);
    if (connection != nullptr && connection->unwatch(socket)) disturb_watch(socket.index());
  }
  /** Somebody takes, or changes, what may have been to wake a thread that sleeps on watches: see EpollSet. */
  void disturb_watch(std::uint32_t socket);

  /** True when a thread sleeps on a set that this socket is in. */
  [[nodiscard]] bool sleep_on(std::uint32_t socket) const;

  /** What tells a sleeper of a set to look again: always readable; see EpollSet::kick. -1 without one. */
  [[nodiscard]] int bell() const;
  [[nodiscard]] static std::uint64_t bell_data();

 private:
  static constexpr unsigned kMost = 4096;
  using Bytes = std::atomic<std::uint8_t>[kMost];

  EpollSet* attach(int fd, EpollSet::Changes changes);
  [[nodiscard]] Bytes* elsewhere();
  template <typename Visit>
  void each(Visit visit) const;
  bool recover(EpollSet& set, int fd);

  std::atomic<EpollSet*> sets_[kMost] = {};
  std::atomic<std::uint32_t> count_{0};
  std::atomic<std::uint32_t> deferred_{0};  // changes
  std::atomic<bool> started_{false};
  std::atomic<std::uint64_t> recovering_{0};
  std::atomic<int> bell_{-1};  // its place among our own descriptors
  /** A byte of each set that this process has made, which it shares with children that have the set from it. */
  std::atomic<Bytes*> elsewhere_{nullptr};
};

extern EpollSets epoll_sets;

}  // namespace sockdoc::preload
