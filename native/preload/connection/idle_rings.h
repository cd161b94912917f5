#pragma once

#include <atomic>
#include <cstdint>

#include "preload/connection/handlers.h"
#include "preload/connection/spinning.h"
#include "preload/readiness/sleepers.h"
#include "preload/table/table.h"

namespace sockdoc::preload {

/**
 * Connections whose rings have taken many pages, which are given back once nothing has moved for a while. There is no
 * thread for it: calls that wait for long do it, in slices, and others when they come by.
 */
class IdleRings {
 public:
  /** In milliseconds: how often a call that waits looks, until nothing is left to be given back. */
  static constexpr std::int64_t kSliceMs = 100;

  /** Its rings hold pages that are worth giving back. */
  void used(Handle socket);
  [[nodiscard]] bool any() const { return any_.load(std::memory_order_relaxed) != 0; }

  /** The process's signal handlers as they were at most a second ago. */
  [[nodiscard]] Handlers handlers();

  /** In a child, which has no rings. */
  void forked() { any_ = sweeping_ = 0; }

  /** Looks at no more than `most` of them. True when there are more that nobody has looked at. */
  bool sweep(unsigned most);
  /** The same, once a second: for calls that do not wait. */
  void sweep_at_times() {
    if (!any() || __builtin_ia32_rdtsc() < due_.load(std::memory_order_relaxed)) return;
    static_cast<void>(sweep(kAtTimes));
  }

 private:
  static constexpr unsigned kAtTimes = 16;

  std::atomic<std::uint32_t> any_{0};
  std::atomic<std::uint32_t> words_{0};  // behind the last one that was ever used
  std::atomic<std::uint32_t> sweeping_{0};
  std::atomic<std::uint64_t> due_{0};  // in ticks
  std::atomic<std::uint64_t> handlers_seen_{0};
  std::atomic<Handlers> handlers_{Handlers::both};
  std::uint32_t next_ = 0;  // word, for who sweeps
  std::atomic<std::uint64_t> used_[kSockets / kBits] = {};
};

extern IdleRings idle_rings;

/** How many of them a call looks at that waits anyway. */
inline constexpr unsigned kSweptWhileWaiting = 128;

}  // namespace sockdoc::preload
