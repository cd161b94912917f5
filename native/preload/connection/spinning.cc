#include "preload/connection/spinning.h"

namespace sockdoc::preload {
namespace {

constexpr std::uint64_t kMostUs = 10'000;

}  // namespace

constinit std::uint64_t spin_ticks = kDefaultSpinUs * kTicksPerUs;
constinit std::uint64_t longest_spin_ticks = 2 * kDefaultSpinUs * kTicksPerUs;

void set_spinning_us(std::uint64_t microseconds) {
  spin_ticks = (microseconds < kMostUs ? microseconds : kMostUs) * kTicksPerUs;
  longest_spin_ticks = spin_ticks;
}

void set_spinning_by_default() {
  spin_ticks = kDefaultSpinUs * kTicksPerUs;
  longest_spin_ticks = 2 * spin_ticks;
}

void set_spinning(const char* microseconds) {
  if (microseconds == nullptr || *microseconds < '0' || *microseconds > '9') return;
  std::uint64_t us = 0;
  for (; *microseconds >= '0' && *microseconds <= '9' && us < kMostUs; microseconds++) {
    us = us * 10 + static_cast<std::uint64_t>(*microseconds - '0');
  }
  set_spinning_us(us);
}

}  // namespace sockdoc::preload
