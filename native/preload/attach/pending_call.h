#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <span>

#include "base/raw.h"
#include "preload/attach/interception.h"
#include "preload/connection/cut_short.h"
#include "preload/syscalls.h"

namespace sockdoc::preload {

/** As many parts of a vector at a time as are not much for a thread's stack. */
constexpr std::size_t kParts = 64;

struct Call {
  long number = 0;
  long argument[6] = {};

  [[nodiscard]] long make() const {
    const auto* a = argument;
    if (interception.status.mode != SOCKDOC_LIBSD_PATCHED) return raw(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    const long result = sockdoc_tracked_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    return result == -1 ? -errno : result;
  }
};

inline bool has_message(long number) { return number == SYS_sendmsg || number == SYS_recvmsg; }

inline int flags_of(const Call& call) {
  if (call.number == SYS_write || call.number == SYS_writev) return 0;
  return static_cast<int>(call.argument[has_message(call.number) ? 2 : 3]);
}

/** The program's memory that a call moves; `one` is room for a single part. */
inline std::span<const iovec> parts_of(const Call& call, iovec& one) {
  const auto* a = call.argument;
  if (call.number == SYS_writev) return {reinterpret_cast<const iovec*>(a[1]), static_cast<std::size_t>(a[2])};
  if (has_message(call.number)) {
    const auto& header = *reinterpret_cast<const msghdr*>(a[1]);
    return {header.msg_iov, header.msg_iovlen};
  }
  one = {reinterpret_cast<void*>(a[1]), static_cast<std::size_t>(a[2])};
  return {&one, 1};
}

inline std::size_t bytes_of(std::span<const iovec> parts) {
  std::size_t sum = 0;
  for (const iovec& part : parts) sum += part.iov_len;
  return sum;
}

/** The first kParts of what is left behind `done` bytes. */
inline std::span<iovec> parts_behind(std::span<const iovec> from, std::size_t done, iovec (&into)[kParts]) {
  std::size_t filled = 0;
  for (const iovec& part : from) {
    const std::size_t skipped = std::min(done, part.iov_len);
    done -= skipped;
    if (skipped == part.iov_len) continue;
    into[filled++] = {static_cast<char*>(part.iov_base) + skipped, part.iov_len - skipped};
    if (filled == kParts) break;
  }
  return {into, filled};
}

/** By the program's own way to poll: see await() there. */
inline long await(int fd, short events, const Limit& until) {
  return await(fd, events, until, [](pollfd* socket, const timespec* left) {
    return Call{SYS_ppoll, {reinterpret_cast<long>(socket), 1, reinterpret_cast<long>(left)}}.make();
  });
}

/** Whoever asks for a socket's error takes it away. */
inline void forget_error(int fd) { (void)option<int>(fd, SO_ERROR); }

/** The rest behind `done` bytes of send(), write() and their kin, begun `waited_ms` ago: how many went in all. */
long with_all_sent(const Call& call, std::size_t done, std::uint32_t waited_ms);

/** The same of sendfile(). */
long with_rest_of_file(Call call, std::size_t done, std::uint32_t waited_ms);

/** poll(POLLOUT), of a call that sends: 0 when the time is up, -errno. A handler of any kind ends it. */
long await_room(int fd, const Limit& until);

}  // namespace sockdoc::preload
