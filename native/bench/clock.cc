#include "bench/clock.h"

#include <ctime>
#ifdef __x86_64__
#include <cpuid.h>
#endif

namespace sockdoc::bench {
namespace {

bool invariant_counter() {
#ifdef __x86_64__
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  constexpr unsigned kPowerManagement = 0x80000007;
  return __get_cpuid(kPowerManagement, &eax, &ebx, &ecx, &edx) != 0 && (edx & (1u << 8)) != 0;
#else
  return false;
#endif
}

}  // namespace

Clock::Clock() : counter_(invariant_counter()) {
  if (!counter_) return;
  constexpr std::uint64_t kCompareNs = 10'000'000;
  const std::uint64_t start = monotonic_ns();
  const std::uint64_t first = counter();
  std::uint64_t passed = 0;
  while (passed < kCompareNs) passed = monotonic_ns() - start;
  ns_per_tick_ = static_cast<double>(passed) / static_cast<double>(counter() - first);
}

std::uint64_t Clock::monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t Clock::cpu_ns() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<std::uint64_t>(used.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(used.tv_nsec);
}

}  // namespace sockdoc::bench
