#include "preload/readiness/waiting.h"

namespace sockdoc::preload {

constinit SpinPolicy spin_policy;

std::uint64_t SpinPolicy::limit() {
  const std::uint32_t in_vain = in_vain_.load(std::memory_order_relaxed);
  if (in_vain < kVainTries) return spin_ticks;
  in_vain_.store(in_vain + 1, std::memory_order_relaxed);
  return in_vain % kVainPeriod == 0 ? spin_ticks : 0;
}

}  // namespace sockdoc::preload
