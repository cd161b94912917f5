#pragma once

#include <cerrno>
#include <cstdint>

namespace sockdoc::preload {

/**
 * A system call, and nothing else: no errno, no cancellation, no libc. The result is the kernel's: -errno on failure.
 * Whatever libsd does for itself goes this way, since the functions of libc lead back into libsd.
 */
template <typename... Arguments>
inline long raw(long number, Arguments... arguments) {
  static_assert(sizeof...(Arguments) <= 6);
  long word[6] = {(long)(arguments)...};  // pointers and integers alike: as the kernel takes them
  register long r10 asm("r10") = word[3];
  register long r8 asm("r8") = word[4];
  register long r9 asm("r9") = word[5];
  long result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(word[0]), "S"(word[1]), "d"(word[2]), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

inline bool failed(long result) { return result < 0 && result >= -4095; }

}  // namespace sockdoc::preload
