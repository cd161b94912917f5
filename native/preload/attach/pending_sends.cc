#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "preload/attach/pending_call.h"

namespace sockdoc::preload {
namespace {

/** In one call. */
long send_parts(int fd, std::span<iovec> parts, int flags) {
  msghdr header = {};  // what went with the first byte, as descriptors do, does not go again
  header.msg_iov = parts.data();
  header.msg_iovlen = parts.size();
  return Call{SYS_sendmsg, {fd, reinterpret_cast<long>(&header), flags}}.make();
}

/** To what is no socket. */
long write_parts(int fd, std::span<iovec> parts) {
  if (parts.size() > 1) {
    return Call{SYS_writev, {fd, reinterpret_cast<long>(parts.data()), static_cast<long>(parts.size())}}.make();
  }
  const iovec& part = parts.front();
  return Call{SYS_write, {fd, reinterpret_cast<long>(part.iov_base), static_cast<long>(part.iov_len)}}.make();
}

bool is_local(int fd) { return option<int>(fd, SO_DOMAIN) == AF_UNIX; }

}  // namespace

/**
 * A Unix socket does not tell poll() of a shutdown(2), its own or of the peer's reading half: so it is asked now and
 * then, by sending nothing, which says so and has no other effect on a stream.
 */
long await_room(int fd, const Limit& until) {
  constexpr std::int64_t kNowAndThen = 500;
  const int type = option<int>(fd, SO_TYPE);
  if (type == 0 || !is_local(fd)) return await(fd, POLLOUT, until);
  if (type != SOCK_STREAM) return POLLOUT;
  for (;;) {
    const long ready =
        await(fd, POLLOUT, std::min(until.value_or(std::numeric_limits<std::int64_t>::max()), now_ms() + kNowAndThen));
    if (ready != 0 || passed(until)) return ready;
    if (raw(SYS_sendto, fd, nullptr, 0, MSG_DONTWAIT | MSG_NOSIGNAL, nullptr, 0) == -EPIPE) return POLLHUP;
  }
}

long with_all_sent(const Call& call, std::size_t done, std::uint32_t waited_ms) {
  const int fd = static_cast<int>(call.argument[0]);
  const bool to_socket = option<int>(fd, SO_TYPE) != 0;
  const bool local = to_socket && is_local(fd);
  // Of the first, each call is told of when its bytes have gone; by the second a connection is made.
  const int flags = (flags_of(call) & ~(MSG_ZEROCOPY | MSG_FASTOPEN)) | MSG_NOSIGNAL;
  const Limit until = limit_of(fd, SO_SNDTIMEO, waited_ms);
  iovec one;
  const std::span<const iovec> parts = parts_of(call, one);
  const auto room = [&](const Limit& by) {
    const long ready = await_room(fd, by);
    // As the kernel has it: a Unix socket's error goes with the call that it breaks off, TCP's stays for the next.
    if (local && ready > 0 && (ready & POLLHUP) != 0) forget_error(fd);
    return ready > 0 && !to_socket ? POLLOUT : ready;
  };
  const auto send = [&](std::size_t behind, int more, std::size_t& tried) {
    iovec place[kParts];
    const std::span<iovec> left = parts_behind(parts, behind, place);
    tried = bytes_of(left);
    return to_socket ? send_parts(fd, left, flags | more) : write_parts(fd, left);
  };
  return send_rest(fd, done, bytes_of(parts), until, until && !local, room, send);
}

/**
 * Behind some bytes TCP's sendfile() takes the socket's error and raises SIGPIPE by itself; a handler ends it. To a
 * Unix socket it does so, or takes the error alone, by where it slept: that does no harm.
 */
long with_rest_of_file(Call call, std::size_t done, std::uint32_t waited_ms) {
  const int fd = static_cast<int>(call.argument[0]);
  const long ready = await_room(fd, limit_of(fd, SO_SNDTIMEO, waited_ms));
  if (ready <= 0) return static_cast<long>(done);
  if ((ready & POLLHUP) != 0 && is_local(fd)) {
    forget_error(fd);
    return static_cast<long>(done);
  }
  call.argument[3] -= static_cast<long>(done);
  return static_cast<long>(done) + std::max(0L, call.make());
}

}  // namespace sockdoc::preload
