#pragma once

#include <time.h>

#include <atomic>
#include <cstdint>

namespace sockdoc::inject {

/** Nanoseconds of CLOCK_MONOTONIC. */
inline std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

inline void nap(std::int64_t ns) {
  const timespec time{ns / 1'000'000'000, ns % 1'000'000'000};
  ::nanosleep(&time, nullptr);
}

/** Set by SIGINT and SIGTERM: what was begun is backed out of. */
inline std::atomic<bool> asked_to_end{false};

/** Until when something may take. An interruption ends it at once. */
class Deadline {
 public:
  static Deadline in_ms(std::int64_t ms) { return Deadline(now_ns() + ms * 1'000'000); }
  [[nodiscard]] Deadline no_later_than_ms(std::int64_t ms) const {
    const Deadline other = in_ms(ms);
    return other.at_ < at_ ? other : *this;
  }
  [[nodiscard]] bool passed() const { return asked_to_end.load(std::memory_order_relaxed) || now_ns() >= at_; }
  [[nodiscard]] std::int64_t left_ns() const { return at_ - now_ns(); }

 private:
  explicit Deadline(std::int64_t at) : at_(at) {}
  std::int64_t at_;
};

}  // namespace sockdoc::inject
