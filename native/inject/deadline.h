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

/** Until when something may take. An interruption ends it at once, but for what takes back what was begun. */
class Deadline {
 public:
  static Deadline in_ms(std::int64_t ms) { return {now_ns() + ms * 1'000'000, true}; }
  static Deadline of_taking_back_in_ms(std::int64_t ms) { return {now_ns() + ms * 1'000'000, false}; }
  [[nodiscard]] Deadline no_later_than_ms(std::int64_t ms) const {
    const std::int64_t other = now_ns() + ms * 1'000'000;
    return {other < at_ ? other : at_, ends_early_};
  }
  [[nodiscard]] bool passed() const {
    return (ends_early_ && asked_to_end.load(std::memory_order_relaxed)) || now_ns() >= at_;
  }
  [[nodiscard]] std::int64_t left_ns() const { return at_ - now_ns(); }

 private:
  Deadline(std::int64_t at, bool ends_early) : at_(at), ends_early_(ends_early) {}
  std::int64_t at_;
  bool ends_early_;
};

}  // namespace sockdoc::inject
