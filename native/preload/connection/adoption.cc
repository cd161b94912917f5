#include "preload/connection/adoption.h"

#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cstddef>
#include <ctime>

#include "base/raw.h"
#include "preload/connection/options.h"

namespace sockdoc::preload {
namespace {

using abi::Reason;

constexpr std::uint8_t kEstablished = 1;

bool read_info(int fd, tcp_info& into) {
  socklen_t length = sizeof into;
  return !failed(raw(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, &into, &length)) &&
         length >= offsetof(tcp_info, tcpi_bytes_retrans) + sizeof into.tcpi_bytes_retrans;  // Linux 4.19
}

bool same_counts(const tcp_info& a, const tcp_info& b) {
  return a.tcpi_state == b.tcpi_state && a.tcpi_bytes_acked == b.tcpi_bytes_acked &&
         a.tcpi_bytes_received == b.tcpi_bytes_received && a.tcpi_bytes_sent == b.tcpi_bytes_sent &&
         a.tcpi_bytes_retrans == b.tcpi_bytes_retrans && a.tcpi_notsent_bytes == b.tcpi_notsent_bytes;
}

bool set_option(int fd, int name, int value) {
  return !failed(raw(SYS_setsockopt, fd, SOL_SOCKET, name, &value, sizeof value));
}

/**
 * Whether urgent data lies ahead, read out of turn or not: FIONREAD ends at its mark then, unless it is in line. Only
 * while nobody else reads.
 */
bool mark_ahead(int fd) {
  int until_mark = 0;
  int in_all = 0;
  if (failed(raw(SYS_ioctl, fd, FIONREAD, &until_mark)) || !set_option(fd, SO_OOBINLINE, 1)) return true;
  const long told = raw(SYS_ioctl, fd, FIONREAD, &in_all);
  set_option(fd, SO_OOBINLINE, 0);
  int again = 0;
  if (failed(told) || failed(raw(SYS_ioctl, fd, FIONREAD, &again))) return true;
  return again < in_all;  // bytes only come meanwhile
}

}  // namespace

Counting count_by_kernel(int fd, KernelCounts& into) {
  constexpr int kLooks = 16;
  tcp_info before = {};
  if (!read_info(fd, before)) return Counting::unclear;
  for (int look = 0; look < kLooks; look++) {
    tcp_info now = {};
    int unsent = 0;
    int unread = 0;
    if (before.tcpi_state != kEstablished) return Counting::moving;
    if (failed(raw(SYS_ioctl, fd, TIOCOUTQ, &unsent)) || failed(raw(SYS_ioctl, fd, FIONREAD, &unread)) ||
        !read_info(fd, now)) {
      return Counting::unclear;
    }
    if (!same_counts(before, now)) {
      before = now;
      continue;
    }
    const std::uint64_t given = now.tcpi_bytes_acked + static_cast<std::uint64_t>(unsent);
    const std::uint64_t without_syn = now.tcpi_bytes_sent - now.tcpi_bytes_retrans + now.tcpi_notsent_bytes;
    if (given - without_syn > 1) return Counting::unclear;
    into = {without_syn, now.tcpi_bytes_received - static_cast<std::uint64_t>(unread), now.tcpi_bytes_retrans != 0};
    return Counting::counted;
  }
  return Counting::moving;
}

Suitability look_at_adopted(int fd) {
  Suitability result;
  pollfd one = {fd, POLLRDHUP | POLLPRI, 0};
  const timespec at_once = {};
  const long flags = raw(SYS_fcntl, fd, F_GETFL, 0);
  tcp_info info = {};
  if (!read_info(fd, info)) {
    result.stays = Reason::counters_differ;
  } else if (info.tcpi_state != kEstablished) {
    result.later = true;
  } else if (raw(SYS_ppoll, &one, 1, &at_once, nullptr, 8) > 0) {
    if ((one.revents & POLLPRI) != 0) result.stays = Reason::urgent_data;
    result.later = true;
  } else if (options_of_the_kernel(fd)) {
    result.stays = Reason::socket_option;
  } else if (has_upper_protocol(fd)) {
    result.stays = Reason::upper_protocol;
  } else if (mark_ahead(fd)) {
    result.stays = Reason::urgent_data;
  }
  if (!failed(flags) && (flags & O_ASYNC) != 0) result.stays_receiving = Reason::asynchronous;
  if (wakes_late(fd)) result.stays_receiving = Reason::socket_option;
  return result;
}

}  // namespace sockdoc::preload
