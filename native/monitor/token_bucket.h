#pragma once

#include <algorithm>
#include <cstdint>

namespace sockdoc::monitor {

/** So many per second on average, and a second's worth at once. Times are CLOCK_MONOTONIC in nanoseconds. */
class TokenBucket {
 public:
  explicit TokenBucket(std::uint64_t per_second, std::int64_t now_ns)
      : per_second_(static_cast<double>(per_second)), tokens_(per_second_), last_ns_(now_ns) {}

  /** Takes one when there is one. */
  [[nodiscard]] bool take(std::int64_t now_ns) {
    fill(now_ns);
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

  /** Nanoseconds until there are enough to go on for a while: waking for each single one would cost more than it. */
  [[nodiscard]] std::int64_t wait_ns(std::int64_t now_ns) const {
    const double enough = std::max(1.0, per_second_ / 10);
    return static_cast<std::int64_t>(std::max(0.0, enough - at(now_ns)) * 1e9 / per_second_) + 1;
  }

  /** As if it had never been used. */
  [[nodiscard]] bool full(std::int64_t now_ns) const { return at(now_ns) >= per_second_; }

 private:
  [[nodiscard]] double at(std::int64_t now_ns) const {
    return std::min(per_second_, tokens_ + static_cast<double>(now_ns - last_ns_) * 1e-9 * per_second_);
  }
  void fill(std::int64_t now_ns) {
    tokens_ = at(now_ns);
    last_ns_ = now_ns;
  }

  double per_second_;
  double tokens_;
  std::int64_t last_ns_;
};

}  // namespace sockdoc::monitor
