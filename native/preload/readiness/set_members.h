#pragma once

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include <cstdint>

#include "base/raw.h"

namespace sockdoc::preload {

/** "/proc/self/fd/5" and the like. */
class DescriptorPath {
 public:
  DescriptorPath(const char* folder, int fd) {
    char* at = text_;
    while (*folder != 0) *at++ = *folder++;
    char digits[12];
    int count = 0;
    do {
      digits[count++] = static_cast<char>('0' + fd % 10);
      fd /= 10;
    } while (fd > 0);
    while (count > 0) *at++ = digits[--count];
    *at = 0;
  }
  [[nodiscard]] const char* text() const { return text_; }

 private:
  char text_[40];
};

/** True for an epoll set, whoever made it. */
[[nodiscard]] inline bool is_epoll(int fd) {
  if (fd < 0) return false;
  constexpr char kTarget[] = "anon_inode:[eventpoll]";
  constexpr long kLength = sizeof kTarget - 1;
  char target[kLength + 1];
  const long size = raw(SYS_readlinkat, AT_FDCWD, DescriptorPath("/proc/self/fd/", fd).text(), target, sizeof target);
  return size == kLength && __builtin_memcmp(target, kTarget, kLength) == 0;
}

/** The members of an epoll set as fdinfo tells them, a line each: "tfd: 8 events: 19 data: 8  pos:0 ino:2a3f sdev:9".
 */
class MemberLines {
 public:
  /** Text in any pieces; each(fd, inode, event) for each whole line of a member. */
  template <typename Each>
  void take(const char* text, long size, Each each) {
    for (long i = 0; i < size; i++) {
      if (text[i] != '\n') {
        if (length_ < sizeof line_ - 1) line_[length_++] = text[i];
        continue;
      }
      line_[length_] = 0;
      length_ = 0;
      std::uint64_t fd = 0;
      std::uint64_t events = 0;
      std::uint64_t data = 0;
      std::uint64_t inode = 0;
      if (!field("tfd:", 10, fd) || !field("events:", 16, events) || !field("data:", 16, data)) continue;
      if (!field("ino:", 16, inode)) continue;
      epoll_event event = {};
      event.events = static_cast<std::uint32_t>(events);
      event.data.u64 = data;
      each(static_cast<int>(fd), inode, event);
    }
  }

 private:
  [[nodiscard]] bool field(const char* name, unsigned base, std::uint64_t& value) const {
    const char* at = __builtin_strstr(line_, name);
    if (at == nullptr) return false;
    at += __builtin_strlen(name);
    while (*at == ' ') at++;
    const char* first = at;
    for (value = 0;; at++) {
      unsigned digit = base;
      if (*at >= '0' && *at <= '9') digit = static_cast<unsigned>(*at - '0');
      if (*at >= 'a' && *at <= 'f') digit = static_cast<unsigned>(*at - 'a') + 10;
      if (digit >= base) return at != first;
      value = value * base + digit;
    }
  }

  char line_[256] = {};
  std::size_t length_ = 0;
};

/** Each member of a set. False where /proc does not tell. */
template <typename Each>
[[nodiscard]] bool read_members(int set, Each each) {
  const long file =
      raw(SYS_openat, AT_FDCWD, DescriptorPath("/proc/self/fdinfo/", set).text(), O_RDONLY | O_CLOEXEC, 0);
  if (failed(file)) return false;
  MemberLines lines;
  char text[4096];
  long size = 0;
  while ((size = raw(SYS_read, file, text, sizeof text)) > 0) lines.take(text, size, each);
  raw(SYS_close, file);
  return size == 0;
}

}  // namespace sockdoc::preload
