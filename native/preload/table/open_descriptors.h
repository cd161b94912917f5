#pragma once

#include <fcntl.h>
#include <sys/syscall.h>

#include <cstdint>

#include "base/raw.h"

namespace sockdoc::preload {

/** `visit(fd)` for each descriptor that the calling process has open. False, and none, without /proc. */
template <typename Visit>
bool each_open_descriptor(Visit visit) {
  struct Entry {  // as getdents64(2) lays it out
    std::uint64_t inode;
    std::int64_t next;
    unsigned short length;
    unsigned char type;
    char name[];
  };
  const long folder = raw(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (failed(folder)) return false;
  alignas(Entry) char buffer[2048];
  for (;;) {
    const long size = raw(SYS_getdents64, folder, buffer, sizeof buffer);
    if (failed(size) || size == 0) break;
    for (long at = 0; at < size;) {
      const auto* entry = reinterpret_cast<const Entry*>(buffer + at);
      at += entry->length;
      int fd = 0;
      const char* digit = entry->name;
      for (; *digit >= '0' && *digit <= '9'; digit++) fd = fd * 10 + (*digit - '0');
      if (*digit == 0 && fd != folder) visit(fd);
    }
  }
  raw(SYS_close, folder);
  return true;
}

}  // namespace sockdoc::preload
