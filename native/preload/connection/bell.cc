#include "preload/connection/bell.h"

#include <cerrno>

namespace sockdoc::preload {

AtBells await_bells(const BellToWaitAt* bells, unsigned count, std::int64_t ns) {
  constexpr int kWait = 0;  // FUTEX_WAIT, of two processes
  constexpr long kWaitForSeveral = 449;
  constexpr long kSecond = 1'000'000'000;
  timespec limit = {0, ns};
  long result = 0;
  if (count == 1) {
    result = raw(SYS_futex, bells->word, kWait, bells->value, &limit, nullptr, 0);
  } else {
    raw(SYS_clock_gettime, CLOCK_MONOTONIC, &limit);
    limit.tv_nsec += ns;
    limit.tv_sec += limit.tv_nsec / kSecond;
    limit.tv_nsec %= kSecond;
    result = raw(kWaitForSeveral, bells, count, 0, &limit, CLOCK_MONOTONIC);
  }
  if (result == -ETIMEDOUT) return AtBells::late;
  return count > 1 && (result == -ENOSYS || result == -EPERM) ? AtBells::unknown : AtBells::rung;
}

}  // namespace sockdoc::preload
