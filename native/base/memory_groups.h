#pragma once

#include <fcntl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/raw.h"

namespace sockdoc {

/** What version 1 says of no limit is more than that. */
inline constexpr std::uint64_t kUnlimitedMemory = std::uint64_t{1} << 60;

namespace memory_groups {

/** A file as text; empty when it cannot be read. */
inline void read_text(long folder, const char* name, char* into, std::size_t size) {
  into[0] = 0;
  const long file = raw(SYS_openat, folder, name, O_RDONLY | O_CLOEXEC, 0);
  if (failed(file)) return;
  const long got = raw(SYS_read, file, into, size - 1);
  into[failed(got) ? 0 : got] = 0;
  raw(SYS_close, file);
}

inline std::uint64_t number_at(const char* text) {
  std::uint64_t number = 0;
  for (; *text >= '0' && *text <= '9' && number < kUnlimitedMemory; text++) {
    number = number * 10 + static_cast<std::uint64_t>(*text - '0');
  }
  return number;
}

/** Of a line "name number". */
inline std::uint64_t number_of(const char* text, const char* name) {
  const char* at = std::strstr(text, name);
  return at == nullptr ? 0 : number_at(at + std::strlen(name));
}

/** What differs between the two versions of control groups. */
struct Version {
  const char* mark;  // before the path
  const char* root;
  const char* limit;
  const char* usage;
  const char* inactive;  // page cache, in memory.stat, with that of the groups below
  const char* active;
};
inline constexpr Version kVersions[] = {
    {":memory:", "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ",
     "total_active_file "},
    {"0::", "/sys/fs/cgroup", "memory.max", "memory.current", "\ninactive_file ", "\nactive_file "},
};

/** What a group leaves beyond what it keeps for the program. */
inline std::uint64_t room_of(long group, const Version& version, std::uint64_t wanted, char* text, std::size_t size) {
  constexpr std::uint64_t kLeast = 256 << 10;
  constexpr std::uint64_t kMost = 16 << 20;
  read_text(group, version.limit, text, size);
  if (*text < '0' || *text > '9') return kUnlimitedMemory;  // "max", or a group without the controller
  const std::uint64_t limit = number_at(text);
  if (limit >= kUnlimitedMemory) return kUnlimitedMemory;
  read_text(group, version.usage, text, size);
  const std::uint64_t used = number_at(text) + std::clamp(limit / 64, kLeast, kMost);
  if (used + wanted <= limit) return limit - used;
  read_text(group, "memory.stat", text, size);
  const std::uint64_t cache = (number_of(text, version.inactive) + number_of(text, version.active)) / 2;
  return limit + cache > used ? limit + cache - used : 0;
}

}  // namespace memory_groups

/**
 * Bytes that the memory control groups of a process leave, all up to the root, beyond what each keeps for its programs
 * (a 64th of its limit, 256 KiB to 16 MiB). `groups`: /proc/PID/cgroup. Page cache counts in half as free, where
 * `wanted` is not there without it. kUnlimitedMemory where nothing limits, or where that is not to be seen. Allocates
 * nothing, and calls nothing of libc that makes system calls: for libsd too.
 */
inline std::uint64_t memory_left(const char* groups, std::uint64_t wanted) {
  using namespace memory_groups;
  constexpr std::size_t kText = 4096;
  constexpr unsigned kLevels = 32;
  char text[kText];
  read_text(AT_FDCWD, groups, text, sizeof text);
  const Version* version = nullptr;
  char* path = nullptr;
  for (const Version& one : kVersions) {
    char* const at = std::strstr(text, one.mark);
    if (at == nullptr) continue;
    version = &one;
    path = at + std::strlen(one.mark);
    break;
  }
  if (version == nullptr) return kUnlimitedMemory;
  path[std::strcspn(path, "\n")] = 0;
  const long root = raw(SYS_openat, AT_FDCWD, version->root, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  if (failed(root)) return kUnlimitedMemory;
  while (*path == '/') path++;
  unsigned levels = *path == 0 ? 1 : 2;
  for (const char* at = path; *at != 0; at++) levels += *at == '/' ? 1 : 0;
  long group = raw(SYS_openat, root, *path == 0 ? "." : path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  if (failed(group)) {  // in a container that sees its own group as the root
    levels = 1;
    group = raw(SYS_openat, root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  }
  raw(SYS_close, root);
  std::uint64_t least = kUnlimitedMemory;
  for (unsigned level = 0; level < std::min(levels, kLevels) && !failed(group); level++) {
    least = std::min(least, room_of(group, *version, wanted, text, sizeof text));
    const long above = raw(SYS_openat, group, "..", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    raw(SYS_close, group);
    group = above;
  }
  if (!failed(group)) raw(SYS_close, group);
  return least;
}

}  // namespace sockdoc
