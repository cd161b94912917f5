#pragma once

#include <fcntl.h>
#include <linux/close_range.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

#include "preload/calls.h"
#include "preload/table/own.h"
#include "preload/table/table.h"

/*
 * What is done around the program's own call, which `call` makes, once. Templates, since most calls can be made in two
 * ways: by their own function, and by syscall().
 */

/** The program's own call: exactly its arguments, through the trampoline. */
#define SOCKDOC_CALL(symbol, ...) [&] { return sockdoc_original_##symbol(__VA_ARGS__); }

namespace sockdoc::preload {

inline constexpr int kNotOfTheStream = MSG_PEEK | MSG_ERRQUEUE;

// A descriptor without a socket leaves by a tail call: no frame of ours stands on its stack while it waits.
template <typename Call>
inline auto receiving(int fd, int flags, Call call) {
  const Handle socket = table.find(fd);
  if (!socket) return call();
  const auto got = call();
  if (got > 0 && (flags & kNotOfTheStream) == 0) table.received(socket, static_cast<std::uint64_t>(got));
  if ((flags & MSG_OOB) != 0) table.raise(socket, kUncounted);
  return got;
}

template <typename Call>
inline auto sending(int fd, int flags, Call call) {
  const Handle socket = table.find(fd);
  if (!socket) return call();
  const auto put = call();
  if (put > 0) table.sent(socket, static_cast<std::uint64_t>(put));
  if ((flags & MSG_OOB) != 0) table.raise(socket, kUncounted);
  return put;
}

/** Descriptors that came with a message: sockets may be among them. */
inline void take_stock_of(const msghdr& message) {
  auto* header = CMSG_FIRSTHDR(&message);
  const auto* end = static_cast<const std::byte*>(message.msg_control) + message.msg_controllen;
  while (header != nullptr && header->cmsg_len >= sizeof(cmsghdr)) {
    const auto* data = reinterpret_cast<const std::byte*>(CMSG_DATA(header));
    const auto* behind = reinterpret_cast<const std::byte*>(header) + header->cmsg_len;
    if (behind > end) return;
    if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
      for (; data + sizeof(int) <= behind; data += sizeof(int)) {
        int fd = -1;
        std::memcpy(&fd, data, sizeof fd);
        table.take_stock(fd);
      }
    }
    const auto* next = reinterpret_cast<const std::byte*>(header) + CMSG_ALIGN(header->cmsg_len);
    if (next + sizeof(cmsghdr) > end) return;
    header = reinterpret_cast<cmsghdr*>(const_cast<std::byte*>(next));
  }
}

template <typename Call>
inline auto receiving_message(int fd, const msghdr* message, int flags, Call call) {
  const auto got = receiving(fd, flags, call);
  if (got >= 0 && message->msg_controllen >= sizeof(cmsghdr) && message->msg_control != nullptr) {
    take_stock_of(*message);
  }
  return got;
}

template <typename Call>
inline auto receiving_messages(int fd, mmsghdr* messages, int flags, Call call) {
  const Handle socket = table.find(fd);
  const auto count = call();
  for (decltype(call()) i = 0; i < count; i++) {
    const msghdr& message = messages[i].msg_hdr;
    if (socket && (flags & kNotOfTheStream) == 0) table.received(socket, messages[i].msg_len);
    if (message.msg_controllen >= sizeof(cmsghdr) && message.msg_control != nullptr) take_stock_of(message);
  }
  if (socket && (flags & MSG_OOB) != 0) table.raise(socket, kUncounted);
  return count;
}

template <typename Call>
inline auto sending_messages(int fd, const mmsghdr* messages, int flags, Call call) {
  const Handle socket = table.find(fd);
  if (!socket) return call();
  const auto count = call();
  for (decltype(call()) i = 0; i < count; i++) table.sent(socket, messages[i].msg_len);
  if ((flags & MSG_OOB) != 0) table.raise(socket, kUncounted);
  return count;
}

template <typename Call>
inline auto splicing(int from, int to, Call call) {
  const Handle source = table.find(from);
  const Handle sink = table.find(to);
  if (!source && !sink) return call();
  const auto moved = call();
  if (moved > 0 && source) table.received(source, static_cast<std::uint64_t>(moved));
  if (moved > 0 && sink) table.sent(sink, static_cast<std::uint64_t>(moved));
  return moved;
}

inline std::uint32_t flags_of_type(int type) { return (type & SOCK_NONBLOCK) != 0 ? kNonBlocking : 0; }

template <typename Call>
inline auto opening(int domain, int type, int protocol, Call call) {
  const auto fd = call();
  const bool tcp = (domain == AF_INET || domain == AF_INET6) && (type & 0xf) == SOCK_STREAM &&
                   (protocol == 0 || protocol == IPPROTO_TCP);
  if (fd >= 0 && tcp) {
    table.record(static_cast<int>(fd), SOCKDOC_SOCKET_FRESH, flags_of_type(type));
  } else if (fd >= 0) {
    table.forget(static_cast<int>(fd));
  }
  return fd;
}

template <typename Call>
inline auto accepting(int listener, int flags, Call call) {
  const bool tcp = static_cast<bool>(table.find(listener));
  const auto fd = call();
  if (fd >= 0 && tcp) {
    table.record(static_cast<int>(fd), SOCKDOC_SOCKET_ACCEPTED, flags_of_type(flags));
  } else if (fd >= 0) {
    table.forget(static_cast<int>(fd));
  }
  return fd;
}

template <typename Call>
inline auto connecting(int fd, const sockaddr* to, socklen_t length, Call call) {
  const Handle socket = table.find(fd);
  if (!socket) return call();
  const bool ends = length >= sizeof(sa_family_t) && to != nullptr && to->sa_family == AF_UNSPEC;
  const std::uint32_t before = table.kind(socket);
  if (!ends && before == SOCKDOC_SOCKET_FRESH) table.become(socket, SOCKDOC_SOCKET_CONNECTING);
  const auto result = call();
  if (result == 0 && ends) {
    table.reset(socket);
  } else if (result == 0 || (errno == EISCONN && before == SOCKDOC_SOCKET_CONNECTING)) {
    table.become(socket, SOCKDOC_SOCKET_OPENED);
  } else if (errno != EINPROGRESS && errno != EALREADY && errno != EINTR && before == SOCKDOC_SOCKET_FRESH) {
    table.become(socket, SOCKDOC_SOCKET_FRESH);
  }
  return result;
}

template <typename Call>
inline auto closing(int fd, Call call) -> decltype(call()) {
  if (own_descriptors.owns(fd)) [[unlikely]] {
    errno = EBADF;
    return -1;
  }
  if (table.find(fd)) table.forget(fd);
  return call();
}

template <typename Call>
inline auto duplicating(int fd, Call call) {
  const auto copy = call();
  if (copy >= 0) table.share(fd, static_cast<int>(copy));
  return copy;
}

template <typename Call>
inline auto replacing(int fd, int to, Call call) {
  if (fd == to) return call();
  if (own_descriptors.owns(to)) [[unlikely]]
    own_descriptors.move_away(to);
  const Handle before = table.take(to);
  const auto result = call();
  if (result < 0) {
    table.put_back(to, before);
  } else {
    table.drop(before);
    table.share(fd, to);
  }
  return result;
}

template <typename Call>
inline auto controlling(int fd, int command, long argument, Call call) {
  const auto result = call();
  if (result >= 0 && (command == F_DUPFD || command == F_DUPFD_CLOEXEC)) table.share(fd, static_cast<int>(result));
  if (result == 0 && command == F_SETFL) {
    const Handle socket = table.find(fd);
    (argument & O_NONBLOCK) != 0 ? table.raise(socket, kNonBlocking) : table.lower(socket, kNonBlocking);
  }
  return result;
}

template <typename Call>
inline auto requesting(int fd, unsigned long request, const void* argument, Call call) {
  const auto result = call();
  if (result == 0 && request == FIONBIO) {
    const Handle socket = table.find(fd);
    *static_cast<const int*>(argument) != 0 ? table.raise(socket, kNonBlocking) : table.lower(socket, kNonBlocking);
  }
  return result;
}

/** `call(first, last)` for what lies between our own descriptors; the kernel is asked at least once. */
template <typename Call>
inline auto closing_range(unsigned first, unsigned last, unsigned flags, Call call) -> decltype(call(first, last)) {
  const bool closes = (flags & CLOSE_RANGE_CLOEXEC) == 0;
  if (closes && first <= last) {
    for (long own; (own = own_descriptors.first_within(first, last)) >= 0; first = static_cast<unsigned>(own) + 1) {
      if (static_cast<unsigned>(own) > first) {
        const auto result = call(first, static_cast<unsigned>(own) - 1);
        if (result != 0) return result;
        table.forget_range(first, static_cast<unsigned>(own) - 1);
      }
      if (static_cast<unsigned>(own) == last) return 0;
    }
  }
  const auto result = call(first, last);
  if (result == 0 && closes) table.forget_range(first, last);
  return result;
}

template <typename Call>
inline auto forking(Call call) {
  const auto child = call();
  if (child >= 0) table.forked(child == 0);
  return child;
}

}  // namespace sockdoc::preload
