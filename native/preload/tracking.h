#pragma once

#include <fcntl.h>
#include <linux/close_range.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include "preload/calls.h"
#include "preload/connection/connections.h"
#include "preload/connection/handing_over.h"
#include "preload/connection/options.h"
#include "preload/connection/transfers.h"
#include "preload/monitor/link.h"
#include "preload/readiness/sets.h"
#include "preload/readiness/user_memory.h"
#include "preload/table/own.h"
#include "preload/table/table.h"

/*
 * What is done around the program's own call, which `call` makes, once. Templates, since most calls can be made in two
 * ways: by their own function, and by syscall().
 */

/** The program's own call: exactly its arguments, through the trampoline. */
#define SOCKDOC_CALL(symbol, ...) [&] { return sockdoc_original_##symbol(__VA_ARGS__); }

namespace sockdoc::preload {

/** Where a call's memory is: one part, or a vector whose count may be nonsense. */
struct Parts {
  static constexpr std::size_t kMost = 0x7ffff000;  // of one call, as the kernel has it
  iovec own = {};
  const iovec* at = nullptr;
  std::size_t count = 1;

  static Parts of(const void* memory, std::size_t size) { return {{const_cast<void*>(memory), size}, nullptr, 1}; }
  /** recv() and send() cut a length that is too large; read() and write() refuse it. */
  static Parts at_most(const void* memory, std::size_t size) { return of(memory, size < kMost ? size : kMost); }
  static Parts of(const iovec* parts, long count) { return {{}, parts, static_cast<std::size_t>(count)}; }
  [[nodiscard]] const iovec* first() const { return at != nullptr || count != 1 ? at : &own; }
};

inline constexpr bool kCancellable = true;
inline constexpr bool kNotCancellable = false;

// A descriptor without a socket leaves by a tail call: no frame of ours stands on its stack while it waits.
template <typename Call>
inline auto receiving(int fd, Parts parts, int flags, bool cancellable, socklen_t* from_length, Call call) {
  const Handle socket = table.find(fd);
  if (!socket) return call();
  using Got = decltype(call());
  return static_cast<Got>(
      receive_bytes(socket, fd, parts.first(), parts.count, flags, cancellable, from_length, Native(call)));
}

template <typename Call>
inline auto sending(int fd, Parts parts, int flags, bool cancellable, Call call) {
  const Handle socket = table.find(fd);
  if (!socket) return call();
  using Put = decltype(call());
  return static_cast<Put>(send_bytes(socket, fd, parts.first(), parts.count, flags, cancellable, Native(call)));
}

/** By the kernel alone: sendfile(). */
template <typename Call>
inline auto sending_natively(int fd, Call call) {
  const Handle socket = table.find(fd);
  if (!socket) return call();
  return static_cast<decltype(call())>(send_natively(socket, fd, Native(call)));
}

template <typename Call>
inline auto sending_message(int fd, const msghdr* message, int flags, bool cancellable, Call call) {
  const Handle socket = table.find(fd);
  if (!socket) {
    before_passing(message);
    return call();
  }
  return static_cast<decltype(call())>(send_message(socket, fd, message, flags, cancellable, Native(call)));
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
inline auto receiving_message(int fd, msghdr* message, int flags, bool cancellable, Call call) {
  const Handle socket = table.find(fd);
  using Got = decltype(call());
  const Got got =
      socket ? static_cast<Got>(receive_message(socket, fd, message, flags, cancellable, Native(call))) : call();
  if (got >= 0 && message->msg_controllen >= sizeof(cmsghdr) && message->msg_control != nullptr) {
    take_stock_of(*message);
  }
  return got;
}

template <typename Call>
inline auto receiving_messages(int fd, mmsghdr* messages, unsigned most, int flags, const timespec* timeout,
                               Call call) {
  const Handle socket = table.find(fd);
  using Count = decltype(call());
  const Count count =
      socket ? static_cast<Count>(receive_messages(socket, fd, messages, most, flags, timeout, Native(call))) : call();
  for (Count i = 0; i < count; i++) {
    const msghdr& message = messages[i].msg_hdr;
    if (message.msg_controllen >= sizeof(cmsghdr) && message.msg_control != nullptr) take_stock_of(message);
  }
  return count;
}

template <typename Call>
inline auto sending_messages(int fd, mmsghdr* messages, unsigned most, int flags, Call call) {
  const Handle socket = table.find(fd);
  if (!socket) {
    for (unsigned i = 0; i < most && i < IOV_MAX && readable(&messages[i], sizeof messages[i]); i++) {
      before_passing(&messages[i].msg_hdr);
    }
    return call();
  }
  return static_cast<decltype(call())>(send_messages(socket, fd, messages, most, flags, Native(call)));
}

template <typename Call>
inline auto splicing(int from, int to, std::size_t size, unsigned flags, Call call) {
  const Handle source = table.find(from);
  const Handle sink = table.find(to);
  if (!source && !sink) return call();
  using Moved = decltype(call());
  if (source) return static_cast<Moved>(splice_from(source, from, to, size, flags, Native(call)));
  return static_cast<Moved>(send_natively(sink, to, Native(call)));
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
    connections.taken_apart(socket);
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
  if (const Handle socket = table.find(fd)) {
    epoll_sets.before_close(socket);
    table.forget(fd);
  }
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
  epoll_sets.before_close(table.find(to));
  const Handle before = table.take(to);
  const auto result = [&] {
    const OwnDescriptors::Replacing free(to);
    return call();
  }();
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
    if (socket && (argument & O_ASYNC) != 0) connections.stay_receiving(socket, abi::Reason::asynchronous);
  }
  return result;
}

template <typename Call>
inline auto requesting(int fd, unsigned long request, void* argument, Call call) {
  const auto result = call();
  if (result == 0 && request == FIONREAD) add_ring_bytes(table.find(fd), static_cast<int*>(argument));
  if (result == 0 && request == FIOASYNC && *static_cast<const int*>(argument) != 0) {
    connections.stay_receiving(table.find(fd), abi::Reason::asynchronous);
  }
  if (result == 0 && request == FIONBIO) {
    const Handle socket = table.find(fd);
    *static_cast<const int*>(argument) != 0 ? table.raise(socket, kNonBlocking) : table.lower(socket, kNonBlocking);
  }
  return result;
}

template <typename Call>
inline auto shutting_down(int fd, int how, Call call) {
  const Handle socket = table.find(fd);
  if (!socket) return call();
  // Before: whoever sees the end must know by then that it was meant.
  if (how == SHUT_WR || how == SHUT_RDWR) said_shutdown(socket);
  const auto result = call();
  if (result == 0 && how != SHUT_WR) table.raise(socket, kShutRead);
  if (result == 0 && how != SHUT_RD) table.raise(socket, kShutWrite);
  return result;
}

template <typename Call>
inline auto setting_option(int fd, int level, int name, const void* value, socklen_t length, Call call) {
  const Handle socket = table.find(fd);
  if (!socket) return call();
  before_option(socket, level, name, value, length);
  const auto result = call();
  if (result == 0) after_option(socket, fd, level, name);
  return result;
}

template <typename Call>
inline auto telling_option(int fd, int level, int name, void* value, const socklen_t* length, Call call) {
  const Handle socket = table.find(fd);
  if (!socket) return call();
  // It takes bytes out of the stream, by mapping and by copying.
  if (level == IPPROTO_TCP && name == TCP_ZEROCOPY_RECEIVE) {
    connections.stay(socket, abi::Reason::socket_option);
    table.raise(socket, kUncounted);
  }
  const auto result = call();
  if (result == 0) tell_option(socket, level, name, value, length);
  return result;
}

/** `call(first, last)` for what lies between our own descriptors; the kernel is asked at least once. */
template <typename Call>
inline auto closing_range(unsigned first, unsigned last, unsigned flags, Call call) -> decltype(call(first, last)) {
  const bool closes = (flags & CLOSE_RANGE_CLOEXEC) == 0;
  if (closes) epoll_sets.settle_all();
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

/** `call(environment)` executes, and comes back only when that fails. */
template <typename Call>
inline auto executing(const Successor& next, Call call) {
  before_exec(next);
  const auto result = with_libsd(next.fit, next.environment, call);
  const int error = errno;
  connections.exec_failed();
  errno = error;
  return result;
}

/** What only asks what this kernel can do has no filter. */
template <typename Call>
inline auto limiting(bool limits, Call call) {
  if (limits) before_limiting();
  return call();
}

/** Before a call that makes a process or a thread, where nobody can come back to us after it. */
inline void before_clone(std::uint64_t flags) {
  constexpr std::uint64_t kSharesMemory = 0x100;       // CLONE_VM
  constexpr std::uint64_t kSharesDescriptors = 0x400;  // CLONE_FILES
  if ((flags & kSharesMemory) != 0 || !table.mine()) return;
  connections.before_fork();
  epoll_sets.lend();
  (void)table.before_fork(DescriptorTable::Fork::does_not);
  table.begin_epoch();
  connections.after_fork();
  // What the child closes then is closed here too, and we are not told.
  if ((flags & kSharesDescriptors) == 0) return;
  epoll_sets.defer_no_more();
  connections.stop(abi::Reason::shared_by_more);
  connections.slabs().close_doorbells();
}

template <typename Call>
inline auto forking(Call call) {
  const bool ours = table.mine();
  unsigned number = Holders::kUnknown;
  if (ours) {
    connections.before_fork();
    epoll_sets.lend();
    number = table.before_fork(DescriptorTable::Fork::comes_back);
  }
  const auto child = call();
  table.forked(child, number);
  if (ours && child != 0) connections.after_fork();
  return child;
}

}  // namespace sockdoc::preload
