#pragma once

#include <cerrno>
#include <cstdint>
#ifndef __x86_64__
#include <unistd.h>
#endif

namespace sockdoc {

/**
 * A system call, and nothing else: no errno, no cancellation, no libc. The result is the kernel's: -errno on failure.
 * Whatever libsd does for itself goes this way, since the functions of libc lead back into libsd. (Where there is no
 * libsd, a program's own libc is as good.)
 */
template <typename... Arguments>
inline long raw(long number, Arguments... arguments) {
  static_assert(sizeof...(Arguments) <= 6);
#ifdef __x86_64__
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
#else
  const long result = ::syscall(number, arguments...);
  return result == -1 ? -errno : result;
#endif
}

inline bool failed(long result) { return result < 0 && result >= -4095; }

}  // namespace sockdoc
