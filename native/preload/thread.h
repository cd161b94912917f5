#pragma once

#include <sys/syscall.h>

#include <atomic>
#include <cstdint>

#include "base/raw.h"

namespace sockdoc::preload {

/** The calling thread, told apart from all others of the process, and never 0. The child of vfork() is its parent's
 * thread, which waits. */
inline std::uint64_t this_thread() {
  std::uint64_t self;
  asm("mov %%fs:0, %0" : "=r"(self));  // the first word of a thread's control block points to it: part of the ABI
  return self;
}

/**
 * libc's word for it that no thread was ever created: nobody reads then while we sleep, so that sleepers need not be
 * counted, and what only threads would divide needs no locked instruction. Null where this libc has none.
 */
inline constinit const char* libc_single_threaded = nullptr;
[[nodiscard]] inline bool one_thread() { return libc_single_threaded != nullptr && *libc_single_threaded != 0; }

/** Adds to what this process alone has. One instruction, so that no signal handler comes between. */
inline void add(std::atomic<std::uint64_t>& to, std::uint64_t amount) {
  if (one_thread()) {
    asm volatile("addq %1, %0" : "+m"(to) : "r"(amount) : "cc");
  } else {
    to.fetch_add(amount, std::memory_order_relaxed);
  }
}

/** The CPU that runs us, from the limit of a segment that Linux keeps for that. */
inline std::uint32_t this_cpu() {
  constexpr std::uint32_t kCpuSegment = 0x7b;
  std::uint32_t limit = 0;
  asm volatile("lsl %1, %0" : "=r"(limit) : "r"(kCpuSegment) : "cc");
  return limit & 0xfff;
}

/** While it lives no signal handler runs in this thread. For steps that no handler of the same thread may see half. */
class SignalsBlocked {
 public:
  SignalsBlocked() {
    const std::uint64_t all = ~std::uint64_t{0};
    raw(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, &all, &before_, sizeof before_);
  }
  ~SignalsBlocked() { raw(SYS_rt_sigprocmask, 2, &before_, nullptr, sizeof before_); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  std::uint64_t before_ = 0;
};

/** Milliseconds since the machine started; costs a system call. */
inline std::uint64_t coarse_ms() {
  struct {
    std::int64_t seconds, nanoseconds;
  } now = {};
  constexpr int kMonotonicCoarse = 6;
  raw(SYS_clock_gettime, kMonotonicCoarse, &now);
  return static_cast<std::uint64_t>(now.seconds) * 1000 + static_cast<std::uint64_t>(now.nanoseconds) / 1'000'000;
}

}  // namespace sockdoc::preload
