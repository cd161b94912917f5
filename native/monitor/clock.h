#pragma once

#include <cstdint>
#include <ctime>

namespace sockdoc::monitor {

/** Nanoseconds of CLOCK_MONOTONIC. */
inline std::int64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000ll + now.tv_nsec;
}

}  // namespace sockdoc::monitor
