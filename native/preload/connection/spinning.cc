#include "preload/connection/spinning.h"

namespace sockdoc::preload {
namespace {

/** About a wake-up by the kernel; below 20 sleeps begin, above 50 nothing is gained (docs/decisions/0037). */
constexpr std::uint64_t kDefaultUs = 50;
constexpr std::uint64_t kMostUs = 10'000;

}  // namespace

constinit std::uint64_t spin_ticks = kDefaultUs * kTicksPerUs;

void set_spinning(const char* microseconds) {
  if (microseconds == nullptr || *microseconds < '0' || *microseconds > '9') return;
  std::uint64_t us = 0;
  for (; *microseconds >= '0' && *microseconds <= '9' && us < kMostUs; microseconds++) {
    us = us * 10 + static_cast<std::uint64_t>(*microseconds - '0');
  }
  spin_ticks = (us < kMostUs ? us : kMostUs) * kTicksPerUs;
}

}  // namespace sockdoc::preload
