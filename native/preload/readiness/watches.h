#pragma once

#include <atomic>
#include <cstdint>

#include "abi/slab.h"
#include "preload/connection/slabs.h"

namespace sockdoc::preload {

/**
 * A sleep on watches ends after so long: what one connection was given by the kernel may never wake anybody, where a
 * filter of packets takes it away before it arrives. Others that have gone on by their rings wait no longer than this.
 */
extern std::int64_t longest_watch_ns;

/**
 * What an epoll set says to the processes at the other ends of its connections while one thread sleeps on it: whether
 * that thread is awake again, so that only one of them has to wake it. One watch for each slab, as abi::Watch. For the
 * thread that is alone inside a wait on the set.
 */
class Watches {  // all zero at first
 public:
  /**
   * Before the members are marked: from now on the thread sleeps. `number` is one of `set`, which gets the doorbells of
   * the slabs, unless `number` is -1. Whether it has any.
   */
  bool begin(Handle set, int number);
  /**
   * In between, for each connection: the watch of its slab, as EndWords::watch has it. 0: there is none left, or in the
   * last sleep too few asked for it to gain by it. With a role of the connection.
   */
  [[nodiscard]] std::uint32_t of(MappedSlab& slab);
  /** When they are marked: watches that nobody asked for are not needed. Whether any was. */
  [[nodiscard]] bool begun();
  /** Awake again, by whatever. */
  void end();
  /** They are not this set's any more; nothing is watched. */
  void release_all();
  /** Of another set. */
  void begin_anew() { no_more_.store(0); }

  /** For good: another thread reads what would wake the sleeper. */
  void watch_no_more() { no_more_.store(1); }
  [[nodiscard]] bool may_watch() const { return no_more_.load(std::memory_order_relaxed) == 0; }

 private:
  static constexpr unsigned kMost = 8;
  static constexpr std::uint32_t kFewest = 2;  // the first one wakes by the kernel; a doorbell serves one as well
  /** Each time that a doorbell comes into a set it wakes once for nothing: not for who is met now and then. */
  static constexpr std::uint32_t kSleepsBeforeDoorbell = 8;
  static constexpr std::uint32_t kNone = abi::kWatches;
  struct One {
    MappedSlab* slab;
    std::uint32_t index;  // or kNone
    std::uint32_t asked;  // how many, in this sleep
    std::uint32_t asked_before;
    std::uint64_t asleep;  // the state as we have put it
    std::uint32_t sleeps;  // in succession, in which some asked
    bool by_doorbell;
    [[nodiscard]] bool worth_it() const { return asked_before >= (by_doorbell ? 1 : kFewest); }
  };

  [[nodiscard]] static abi::WatchPage& page_of(const MappedSlab& slab) {
    return *reinterpret_cast<abi::WatchPage*>(slab.memory + abi::kWatchesOffset);
  }
  /** A child has these words, and none of the memory. */
  [[nodiscard]] bool ours();
  static void fall_asleep(One& one);
  static void take_one(One& one);
  static void release(One& one);

  One ones_[kMost] = {};
  unsigned count_ = 0;
  Handle set_;
  int number_ = -1;
  std::int32_t process_ = 0;
  std::atomic<std::uint32_t> no_more_{0};
};

}  // namespace sockdoc::preload
