#include <fcntl.h>
#include <linux/close_range.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <cstring>

#include "preload/calls.h"
#include "preload/raw.h"
#include "preload/table/own.h"
#include "preload/table/table.h"

/*
 * The hooks: what the program calls instead of libc. Each makes the program's call once, by `call`, and keeps count
 * around it. The ones of calls that syscall(2) can make too are templates over how the call is made.
 */
namespace sockdoc::preload {
namespace {

constexpr int kNotOfTheStream = MSG_PEEK | MSG_ERRQUEUE;

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
void take_stock_of(const msghdr& message) {
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

std::uint32_t flags_of_type(int type) { return (type & SOCK_NONBLOCK) != 0 ? kNonBlocking : 0; }

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

}  // namespace
}  // namespace sockdoc::preload

// NOLINTBEGIN: the names and types are libc's
using namespace sockdoc::preload;

/** The program's own call: exactly its arguments, through the trampoline. */
#define SOCKDOC_CALL(symbol, ...) [&] { return sockdoc_original_##symbol(__VA_ARGS__); }

extern "C" {

ssize_t sockdoc_hook_read(int fd, void* into, size_t size) {
  return receiving(fd, 0, SOCKDOC_CALL(read, fd, into, size));
}
ssize_t sockdoc_hook___read_nocancel(int fd, void* into, size_t size) {
  return receiving(fd, 0, SOCKDOC_CALL(__read_nocancel, fd, into, size));
}
ssize_t sockdoc_hook___read_chk(int fd, void* into, size_t size, size_t room) {
  return receiving(fd, 0, SOCKDOC_CALL(__read_chk, fd, into, size, room));
}
ssize_t sockdoc_hook_readv(int fd, const iovec* parts, int count) {
  return receiving(fd, 0, SOCKDOC_CALL(readv, fd, parts, count));
}
// At offset -1 it is readv(); at others a socket has ESPIPE.
ssize_t sockdoc_hook_preadv2(int fd, const iovec* parts, int count, off_t at, int flags) {
  return receiving(fd, 0, SOCKDOC_CALL(preadv2, fd, parts, count, at, flags));
}
ssize_t sockdoc_hook_recv(int fd, void* into, size_t size, int flags) {
  return receiving(fd, flags, SOCKDOC_CALL(recv, fd, into, size, flags));
}
ssize_t sockdoc_hook___recv_chk(int fd, void* into, size_t size, size_t room, int flags) {
  return receiving(fd, flags, SOCKDOC_CALL(__recv_chk, fd, into, size, room, flags));
}
ssize_t sockdoc_hook_recvfrom(int fd, void* into, size_t size, int flags, sockaddr* from, socklen_t* length) {
  return receiving(fd, flags, SOCKDOC_CALL(recvfrom, fd, into, size, flags, from, length));
}
ssize_t sockdoc_hook___recvfrom_chk(int fd, void* into, size_t size, size_t room, int flags, sockaddr* from,
                                    socklen_t* length) {
  return receiving(fd, flags, SOCKDOC_CALL(__recvfrom_chk, fd, into, size, room, flags, from, length));
}
ssize_t sockdoc_hook_recvmsg(int fd, msghdr* message, int flags) {
  return receiving_message(fd, message, flags, SOCKDOC_CALL(recvmsg, fd, message, flags));
}
int sockdoc_hook_recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
  return receiving_messages(fd, messages, flags, SOCKDOC_CALL(recvmmsg, fd, messages, count, flags, timeout));
}

ssize_t sockdoc_hook_write(int fd, const void* from, size_t size) {
  return sending(fd, 0, SOCKDOC_CALL(write, fd, from, size));
}
ssize_t sockdoc_hook___write_nocancel(int fd, const void* from, size_t size) {
  return sending(fd, 0, SOCKDOC_CALL(__write_nocancel, fd, from, size));
}
ssize_t sockdoc_hook_writev(int fd, const iovec* parts, int count) {
  return sending(fd, 0, SOCKDOC_CALL(writev, fd, parts, count));
}
ssize_t sockdoc_hook_pwritev2(int fd, const iovec* parts, int count, off_t at, int flags) {
  return sending(fd, 0, SOCKDOC_CALL(pwritev2, fd, parts, count, at, flags));
}
ssize_t sockdoc_hook_send(int fd, const void* from, size_t size, int flags) {
  return sending(fd, flags, SOCKDOC_CALL(send, fd, from, size, flags));
}
ssize_t sockdoc_hook_sendto(int fd, const void* from, size_t size, int flags, const sockaddr* to, socklen_t length) {
  return sending(fd, flags, SOCKDOC_CALL(sendto, fd, from, size, flags, to, length));
}
ssize_t sockdoc_hook_sendmsg(int fd, const msghdr* message, int flags) {
  return sending(fd, flags, SOCKDOC_CALL(sendmsg, fd, message, flags));
}
int sockdoc_hook_sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags) {
  return sending_messages(fd, messages, flags, SOCKDOC_CALL(sendmmsg, fd, messages, count, flags));
}
ssize_t sockdoc_hook_sendfile(int to, int from, off_t* at, size_t size) {
  return sending(to, 0, SOCKDOC_CALL(sendfile, to, from, at, size));
}
ssize_t sockdoc_hook_splice(int from, off64_t* from_at, int to, off64_t* to_at, size_t size, unsigned flags) {
  return splicing(from, to, SOCKDOC_CALL(splice, from, from_at, to, to_at, size, flags));
}

int sockdoc_hook_socket(int domain, int type, int protocol) {
  return opening(domain, type, protocol, SOCKDOC_CALL(socket, domain, type, protocol));
}
int sockdoc_hook_accept(int fd, sockaddr* from, socklen_t* length) {
  return accepting(fd, 0, SOCKDOC_CALL(accept, fd, from, length));
}
int sockdoc_hook_accept4(int fd, sockaddr* from, socklen_t* length, int flags) {
  return accepting(fd, flags, SOCKDOC_CALL(accept4, fd, from, length, flags));
}
int sockdoc_hook_connect(int fd, const sockaddr* to, socklen_t length) {
  return connecting(fd, to, length, SOCKDOC_CALL(connect, fd, to, length));
}
int sockdoc_hook_listen(int fd, int backlog) {
  const int result = sockdoc_original_listen(fd, backlog);
  if (result == 0) table.become(table.find(fd), SOCKDOC_SOCKET_LISTENER);
  return result;
}
int sockdoc_hook_shutdown(int fd, int how) {
  const int result = sockdoc_original_shutdown(fd, how);
  if (result == 0 && how != SHUT_WR) table.raise(table.find(fd), kShutRead);
  if (result == 0 && how != SHUT_RD) table.raise(table.find(fd), kShutWrite);
  return result;
}
int sockdoc_hook_getsockopt(int fd, int level, int name, void* value, socklen_t* length) {
  const int result = sockdoc_original_getsockopt(fd, level, name, value, length);
  // It may have taken bytes out of the stream, by mapping and by copying.
  if (level == IPPROTO_TCP && name == TCP_ZEROCOPY_RECEIVE) table.raise(table.find(fd), kUncounted);
  return result;
}
int sockdoc_hook_fcntl(int fd, int command, void* argument) {
  return controlling(fd, command, reinterpret_cast<long>(argument), SOCKDOC_CALL(fcntl, fd, command, argument));
}
int sockdoc_hook_ioctl(int fd, unsigned long request, void* argument) {
  return requesting(fd, request, argument, SOCKDOC_CALL(ioctl, fd, request, argument));
}

int sockdoc_hook_close(int fd) { return closing(fd, SOCKDOC_CALL(close, fd)); }
int sockdoc_hook___close_nocancel(int fd) { return closing(fd, SOCKDOC_CALL(__close_nocancel, fd)); }
int sockdoc_hook_close_range(unsigned first, unsigned last, int flags) {
  return closing_range(first, last, static_cast<unsigned>(flags),
                       [&](unsigned from, unsigned to) { return sockdoc_original_close_range(from, to, flags); });
}
void sockdoc_hook_closefrom(int first) {
  const unsigned from = first < 0 ? 0 : static_cast<unsigned>(first);
  if (sockdoc_hook_close_range(from, ~0U, 0) == 0) return;
  sockdoc_original_closefrom(first);  // it knows what to do without close_range(2)
  table.forget_range(from, ~0U);
}
int sockdoc_hook_dup(int fd) { return duplicating(fd, SOCKDOC_CALL(dup, fd)); }
int sockdoc_hook_dup2(int fd, int to) { return replacing(fd, to, SOCKDOC_CALL(dup2, fd, to)); }
int sockdoc_hook_dup3(int fd, int to, int flags) { return replacing(fd, to, SOCKDOC_CALL(dup3, fd, to, flags)); }

pid_t sockdoc_hook_fork() { return forking(SOCKDOC_CALL(fork)); }
pid_t sockdoc_hook__Fork() { return forking(SOCKDOC_CALL(_Fork)); }

int sockdoc_hook_execve(const char* path, char* const* arguments, char* const* environment) {
  table.leave_to_next_program();
  return sockdoc_original_execve(path, arguments, environment);
}
int sockdoc_hook_execveat(int folder, const char* path, char* const* arguments, char* const* environment, int flags) {
  table.leave_to_next_program();
  return sockdoc_original_execveat(folder, path, arguments, environment, flags);
}
int sockdoc_hook_fexecve(int fd, char* const* arguments, char* const* environment) {
  table.leave_to_next_program();
  return sockdoc_original_fexecve(fd, arguments, environment);
}

#define SOCKDOC_FORWARD(symbol, result, parameters, arguments) \
  result sockdoc_hook_##symbol parameters { return sockdoc_original_##symbol arguments; }
SOCKDOC_FORWARDED_CALLS(SOCKDOC_FORWARD)
#undef SOCKDOC_FORWARD

/**
 * syscall() of a call that is hooked. All others never come here (see below): a clone or vfork by syscall() may come
 * back on another stack, or twice on the same one, and must find no frame of ours there.
 */
long sockdoc_tracked_syscall(long number, long a, long b, long c, long d, long e, long f) {
  const auto call = SOCKDOC_CALL(syscall, number, a, b, c, d, e, f);
  const auto fd = static_cast<int>(a);
  switch (number) {
    case SYS_read:
    case SYS_readv:
    case SYS_preadv2:
      return receiving(fd, 0, call);
    case SYS_recvfrom:
      return receiving(fd, static_cast<int>(d), call);
    case SYS_recvmsg:
      return receiving_message(fd, reinterpret_cast<msghdr*>(b), static_cast<int>(c), call);
    case SYS_recvmmsg:
      return receiving_messages(fd, reinterpret_cast<mmsghdr*>(b), static_cast<int>(d), call);
    case SYS_write:
    case SYS_writev:
    case SYS_pwritev2:
    case SYS_sendfile:
      return sending(fd, 0, call);
    case SYS_sendto:
      return sending(fd, static_cast<int>(d), call);
    case SYS_sendmsg:
      return sending(fd, static_cast<int>(c), call);
    case SYS_sendmmsg:
      return sending_messages(fd, reinterpret_cast<mmsghdr*>(b), static_cast<int>(d), call);
    case SYS_splice:
      return splicing(fd, static_cast<int>(c), call);
    case SYS_socket:
      return opening(fd, static_cast<int>(b), static_cast<int>(c), call);
    case SYS_accept:
      return accepting(fd, 0, call);
    case SYS_accept4:
      return accepting(fd, static_cast<int>(d), call);
    case SYS_connect:
      return connecting(fd, reinterpret_cast<sockaddr*>(b), static_cast<socklen_t>(c), call);
    case SYS_close:
      return closing(fd, call);
    case SYS_close_range:
      return closing_range(
          static_cast<unsigned>(a), static_cast<unsigned>(b), static_cast<unsigned>(c),
          [&](unsigned from, unsigned to) { return sockdoc_original_syscall(number, from, to, c, d, e, f); });
    case SYS_dup:
      return duplicating(fd, call);
    case SYS_dup2:
    case SYS_dup3:
      return replacing(fd, static_cast<int>(b), call);
    case SYS_fcntl:
      return controlling(fd, static_cast<int>(b), c, call);
    case SYS_ioctl:
      return requesting(fd, static_cast<unsigned long>(b), reinterpret_cast<void*>(c), call);
    default:
      return call();
  }
}
}

namespace {
struct Numbers {
  unsigned char tracked[512] = {};
};
constexpr Numbers numbers() {
  Numbers result;
  for (const int number :
       {SYS_read,   SYS_readv,    SYS_preadv2,  SYS_recvfrom, SYS_recvmsg, SYS_recvmmsg,    SYS_write,
        SYS_writev, SYS_pwritev2, SYS_sendfile, SYS_sendto,   SYS_sendmsg, SYS_sendmmsg,    SYS_splice,
        SYS_socket, SYS_accept,   SYS_accept4,  SYS_connect,  SYS_close,   SYS_close_range, SYS_dup,
        SYS_dup2,   SYS_dup3,     SYS_fcntl,    SYS_ioctl}) {
    result.tracked[number] = 1;
  }
  return result;
}
}  // namespace

extern "C" {
[[gnu::visibility("hidden"), gnu::used]] extern constexpr Numbers sockdoc_tracked_numbers = numbers();
}

// Jumps, so that the stack stays as the program left it.
asm(R"(
.pushsection .text
.globl sockdoc_hook_syscall
.hidden sockdoc_hook_syscall
.type sockdoc_hook_syscall, @function
sockdoc_hook_syscall:
  cmp $512, %rdi
  jae 1f
  lea sockdoc_tracked_numbers(%rip), %r11
  cmpb $0, (%r11,%rdi)
  jne sockdoc_tracked_syscall
1:
  jmp *sockdoc_original_syscall(%rip)
.popsection
)");
// NOLINTEND
