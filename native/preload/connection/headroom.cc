#include "preload/connection/headroom.h"

#include <atomic>
#include <cstdint>

#include "base/memory_groups.h"
#include "preload/connection/spinning.h"

namespace sockdoc::preload {
namespace {

/** What the last look leaves to be given out before the next: a part of what there was, for some time. */
constinit std::atomic<std::uint64_t> granted{0};
constinit std::atomic<std::uint64_t> granted_until{0};  // in ticks

bool take(std::uint64_t bytes) {
  if (__builtin_ia32_rdtsc() >= granted_until.load(std::memory_order_relaxed)) return false;
  std::uint64_t left = granted.load();
  while (left >= bytes) {
    if (granted.compare_exchange_weak(left, left - bytes)) return true;
  }
  return false;
}

}  // namespace

bool memory_is_left_for(std::size_t bytes) {
  constexpr std::uint64_t kMillisecond = 1000 * kTicksPerUs;
  constexpr std::uint64_t kShare = 8;
  if (take(bytes)) return true;
  const std::uint64_t there = memory_left("/proc/self/cgroup", bytes);
  if (there < bytes) return false;
  const bool limited = there < kUnlimitedMemory;
  granted = limited ? (there - bytes) / kShare : kUnlimitedMemory;
  granted_until = __builtin_ia32_rdtsc() + (limited ? 100 : 1000) * kMillisecond;
  return true;
}

}  // namespace sockdoc::preload
