#include "preload/readiness/waiting.h"

#include "preload/connection/connections.h"

namespace sockdoc::preload {

constinit SpinPolicy spin_policy;

std::uint64_t SpinPolicy::limit(std::uint64_t now) {
  const bool crowded = now < no_yield_until_.load(std::memory_order_relaxed);
  const std::uint64_t most = crowded && spin_ticks > kAlone * kTicksPerUs ? kAlone * kTicksPerUs : spin_ticks;
  const std::uint32_t in_vain = in_vain_.load(std::memory_order_relaxed);
  if (in_vain < kVainTries) return most;
  in_vain_.store(in_vain + 1, std::memory_order_relaxed);
  return in_vain % kVainPeriod == 0 ? most : 0;
}

void SpinPolicy::yielded(std::uint64_t now, std::uint64_t took) {
  if (took > kLongYieldUs * kTicksPerUs) no_yield_until_.store(now + kPauses * took, std::memory_order_relaxed);
}

void BesidePeer::add(Handle socket) {
  Connection* connection = enough() ? nullptr : connection_of(socket);
  if (connection == nullptr) return;
  looked_at_++;
  any_ = connection->beside_peer();
}

}  // namespace sockdoc::preload
