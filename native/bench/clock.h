#pragma once

#include <cstdint>

namespace sockdoc::bench {

/**
 * The cheapest clock that counts evenly: the processor's counter where it is invariant (6 to 10 ns a look), else
 * CLOCK_MONOTONIC (20 to 30 ns, a system call in some virtual machines). A round trip by shared memory takes 200 ns, so
 * that the difference is seen.
 */
class Clock {
 public:
  /** Compares both clocks for 10 ms. */
  Clock();

  [[nodiscard]] std::uint64_t now() const { return counter_ ? counter() : monotonic_ns(); }
  [[nodiscard]] double ns(double ticks) const { return ticks * ns_per_tick_; }
  [[nodiscard]] std::uint64_t ticks_of_ms(double ms) const {
    return static_cast<std::uint64_t>(ms * 1e6 / ns_per_tick_);
  }

  [[nodiscard]] static std::uint64_t monotonic_ns();
  /** CPU time of this process so far, in user space and in the kernel. */
  [[nodiscard]] static std::uint64_t cpu_ns();

 private:
  [[nodiscard]] static std::uint64_t counter() {
#ifdef __x86_64__
    return __builtin_ia32_rdtsc();
#else
    return monotonic_ns();
#endif
  }

  bool counter_ = false;
  double ns_per_tick_ = 1;
};

}  // namespace sockdoc::bench
