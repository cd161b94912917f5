#pragma once

#include <sys/syscall.h>

#include <atomic>
#include <cstdint>
#include <ctime>

#include "base/raw.h"

/* The word at which an end of a connection waits for the next send of the other: see abi::EndWords. */
namespace sockdoc::preload {

/** Wakes who waits there. The word is 0 already; its memory may be gone, which wakes nobody. */
inline void ring_bell(std::atomic<std::uint32_t>& bell) {
  constexpr int kWake = 1;   // FUTEX_WAKE, of two processes
  constexpr int kMost = 16;  // hardly ever are there two: who means harm could have us wake thousands of his threads
  raw(SYS_futex, &bell, kWake, kMost, nullptr, nullptr, 0);
}

/** What futex_waitv(2) takes, of Linux 5.16. */
struct BellToWaitAt {
  std::uint64_t value;
  std::uint64_t word;
  std::uint32_t flags;
  std::uint32_t reserved;
};

[[nodiscard]] inline BellToWaitAt to_wait_at(std::atomic<std::uint32_t>& bell) {
  constexpr std::uint32_t kWordOf32Bits = 2;
  return {1, reinterpret_cast<std::uintptr_t>(&bell), kWordOf32Bits, 0};
}

enum class AtBells { rung, late, unknown };
/**
 * Until one of them rings, or has rung since it was set: rung, as after a signal; or until `ns`, less than a second,
 * have passed: late. Unknown: the kernel knows no wait at several.
 */
[[nodiscard]] AtBells await_bells(const BellToWaitAt* bells, unsigned count, std::int64_t ns);

}  // namespace sockdoc::preload
