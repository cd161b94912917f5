#include "preload/connection/transfers.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "preload/calls.h"
#include "preload/connection/at_once.h"
#include "preload/connection/connections.h"
#include "preload/connection/gate.h"
#include "preload/monitor/link.h"
#include "preload/originals.h"

namespace sockdoc::preload {
namespace {

constexpr int kNotOfTheStream = MSG_PEEK | MSG_ERRQUEUE;
/** Others than these mean nothing to a receive by TCP. The second is refused by the kernel. */
constexpr unsigned kReceivedNatively = MSG_OOB | 0x80000000;
constexpr int kSentByRing = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE | MSG_EOR | MSG_CONFIRM | MSG_DONTROUTE;

/** Of one call, as the kernel has it. */
constexpr std::size_t kMostBytes = 0x7ffff000;

enum class Way { in, out };

void count(Handle socket, Way way, int flags, long moved) {
  if (moved > 0 && (way == Way::out || (flags & kNotOfTheStream) == 0)) {
    const auto bytes = static_cast<std::uint64_t>(moved);
    way == Way::in ? table.received(socket, bytes) : table.sent(socket, bytes);
  }
  if ((flags & MSG_OOB) != 0) {
    table.raise(socket, kUncounted);
    connections.stay(socket, abi::Reason::urgent_data);
  }
}

/** The socket's connection; else the call was made, by the kernel, and `result` is what it gave. */
template <typename Count>
Connection* connection_or_call(Handle socket, int fd, Native call, Count counted, long& result) {
  SocketState* state = monitor_link.wanted() || connections.any() ? table.state(socket) : nullptr;
  Connection* connection = state == nullptr ? nullptr : connection_of(socket);
  if (connection != nullptr && !connection->rested()) return connection;
  std::uint64_t word = state == nullptr ? std::uint64_t{0} : state->gate.load();
  if (state == nullptr || gate::phase(word) == Phase::refused) {
    result = call();
    counted(result);
    return nullptr;
  }
  connections.consider(socket, *state, fd, word);
  word = gate::enter(*state);
  if (gate::phase(word) == Phase::mapped) {
    gate::leave(*state);
    return connections.crossed(socket);
  }
  result = call();
  counted(result);
  gate::leave(*state);
  return nullptr;
}

/** Not a program's at all: the kernel refuses it before it looks at the socket. */
bool beyond(const void* memory, std::size_t size) {
  constexpr std::uintptr_t kHighest = 0x7ffffffff000;
  const auto at = reinterpret_cast<std::uintptr_t>(memory);
  return size != 0 && (at > kHighest || size > kHighest - at);
}

/** Addresses that no process has: the kernel is asked, and says EFAULT. */
bool impossible(const void* memory, std::size_t size) {
  constexpr std::uintptr_t kLowest = 4096;
  return beyond(memory, size) || (size != 0 && reinterpret_cast<std::uintptr_t>(memory) < kLowest);
}

enum class Memory { ordinary, refused_at_once, refused, too_much };

/** How many bytes the parts are; whether the kernel would refuse them, or take a part only. `used`: whether they are.
 */
Memory look_at(const iovec* parts, std::size_t count, bool used, std::size_t& bytes) {
  bytes = 0;
  if (count > IOV_MAX || impossible(parts, count * sizeof(iovec))) return Memory::refused_at_once;
  bool too_much = false;
  bool missing = false;
  for (std::size_t i = 0; i < count; i++) {
    if (static_cast<ssize_t>(parts[i].iov_len) < 0 || beyond(parts[i].iov_base, parts[i].iov_len)) {
      return Memory::refused_at_once;
    }
    missing = missing || (used && impossible(parts[i].iov_base, parts[i].iov_len));
    too_much = too_much || parts[i].iov_len > kMostBytes;
    bytes += parts[i].iov_len;
  }
  if (missing) return Memory::refused;
  return too_much || bytes > kMostBytes ? Memory::too_much : Memory::ordinary;
}

/** What a call is about. Where it moves nothing the kernel has to say why. `one` is room for a shorter part. */
Memory transfer_of(const iovec* parts, std::size_t count, iovec& one, Transfer& into) {
  const Memory memory = look_at(parts, count, (into.flags & MSG_TRUNC) == 0, into.bytes);
  if (memory == Memory::refused || memory == Memory::refused_at_once) return memory;
  into.parts = {parts, count};
  if (memory == Memory::too_much) {
    // The first part alone: the kernel takes less than was asked for too.
    while (parts->iov_len == 0) parts++;
    one = {parts->iov_base, std::min(parts->iov_len, kMostBytes)};
    into.parts = {&one, 1};
    into.bytes = one.iov_len;
  }
  return Memory::ordinary;
}

bool waits(Handle socket, int fd, int flags) {
  if ((flags & MSG_DONTWAIT) != 0) return false;
  const SocketState* state = table.state(socket);
  if (state == nullptr) return true;
  if (table.unshared(*state)) return (state->flags.load(std::memory_order_relaxed) & kNonBlocking) == 0;
  // Another holder of the socket may have changed it.
  const long now = raw(SYS_fcntl, fd, F_GETFL, 0);
  return failed(now) || (now & O_NONBLOCK) == 0;
}

/** Where another process has the memory the kernel alone is asked, and nothing else: a worker's sandbox may allow no
 * more. */
bool waits_to_send(const Connection& connection, Handle socket, int fd, int flags) {
  return !connection.here() || waits(socket, fd, flags);
}

long told(const Result& result) {
  if (result.value < 0) errno = result.error;
  return result.value;
}

/** A call by the connection, which may have gone to rest when its turn comes. */
template <typename Count, typename By>
long moving(Handle socket, int fd, Native call, Count counted, By by) {
  for (;;) {
    long value = 0;
    Connection* connection = connection_or_call(socket, fd, call, counted, value);
    if (connection == nullptr) return value;
    const Result result = by(*connection);
    if (result.again) continue;
    counted(result.value);
    return told(result);
  }
}

/** A call that takes nothing, such as one for 0 bytes or into impossible memory: the kernel answers, once something is
 * there if it waits for that. */
Result ask_kernel(Connection& connection, Native call) {
  const std::uint64_t self = connection.handle().word();
  if (connection.has_ring_bytes() || !connection.let_kernel_wake(self)) return {-1, EFAULT};
  const long value = call();
  const int error = errno;
  connection.awake(self);
  return {value, error, true};
}

Result receive_by(Connection& connection, Handle socket, int fd, const iovec* parts, std::size_t parts_count, int flags,
                  bool cancellable, bool begun, Native call) {
  Transfer transfer = {fd, flags, {}, 0, false, cancellable};
  transfer.begun = begun;
  iovec one;
  const Memory memory = transfer_of(parts, parts_count, one, transfer);
  if (memory == Memory::refused) return ask_kernel(connection, call);
  if (memory == Memory::refused_at_once) {
    const long value = call();
    return {value, errno, true};
  }
  if (transfer.bytes == 0) {
    const Result asked = ask_kernel(connection, call);
    return asked.native ? asked : Result{0};
  }
  if ((static_cast<unsigned>(flags) & kReceivedNatively) != 0) {
    // MSG_OOB finds no urgent byte where the kernel carries none.
    const long value = call();
    return {value, errno, true};
  }
  transfer.as_kernel = connection.all_by_kernel();
  transfer.waits = transfer.as_kernel || waits(socket, fd, flags);
  return connection.receive(transfer, call);
}

Result send_by(Connection& connection, Handle socket, int fd, const iovec* parts, std::size_t parts_count, int flags,
               bool cancellable, bool begun, Native call) {
  Transfer transfer = {fd, flags, {}, 0, false, cancellable};
  transfer.begun = begun;
  iovec one;
  if ((flags & ~kSentByRing) != 0 || transfer_of(parts, parts_count, one, transfer) != Memory::ordinary ||
      transfer.bytes == 0) {
    if ((flags & MSG_OOB) != 0) connections.stay(socket, abi::Reason::urgent_data);
    return connection.send_by_kernel(fd, waits_to_send(connection, socket, fd, flags), call);
  }
  transfer.waits = waits_to_send(connection, socket, fd, flags);
  return connection.send(transfer, call);
}

/** A call for one part, which asks for nothing but the bytes. */
std::size_t receive_at_once(Handle socket, const iovec& part, int flags, bool cancellable) {
  constexpr int kUnderstood = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_WAITALL;
  Connection* connection = connection_of(socket);
  if (connection == nullptr || (flags & ~kUnderstood) != 0 || part.iov_len > kMostBytes ||
      impossible(part.iov_base, part.iov_len)) {
    return 0;
  }
  if (cancellable) test_cancel();
  const std::size_t fewest = (flags & MSG_WAITALL) != 0 ? part.iov_len : 1;
  const std::size_t got =
      connection->receive_at_once(socket, {static_cast<std::byte*>(part.iov_base), part.iov_len}, fewest);
  if (got > 0) table.received(socket, got);
  return got;
}

/** How many bytes were sent: all, or 0. */
std::size_t send_at_once(Handle socket, const iovec* parts, std::size_t count, int flags, bool cancellable) {
  constexpr std::size_t kFew = 8;
  Connection* connection = connection_of(socket);
  if (connection == nullptr || (flags & ~kSentByRing) != 0 || count == 0 || count > kFew ||
      impossible(parts, count * sizeof *parts)) {
    return 0;
  }
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < count; i++) {
    if (parts[i].iov_len > kMostBytes || impossible(parts[i].iov_base, parts[i].iov_len)) return 0;
    bytes += parts[i].iov_len;
  }
  if (bytes == 0) return 0;
  if (cancellable) test_cancel();
  const std::span first(static_cast<const std::byte*>(parts->iov_base), bytes);
  const bool sent = count == 1 ? connection->send_at_once(socket, first)
                               : connection->send_at_once(socket, std::span(parts, count), bytes);
  if (!sent) return 0;
  table.sent(socket, bytes);
  return bytes;
}

}  // namespace

long receive_bytes(Handle socket, int fd, const iovec* parts, std::size_t parts_count, int flags, bool cancellable,
                   socklen_t* from_length, Native call) {
  if (parts_count == 1 && !impossible(parts, sizeof *parts)) {
    if (const std::size_t got = receive_at_once(socket, *parts, flags, cancellable); got > 0) {
      if (from_length != nullptr) *from_length = 0;
      return static_cast<long>(got);
    }
  }
  const auto counted = [&](long moved) { count(socket, Way::in, flags, moved); };
  if ((flags & MSG_ERRQUEUE) != 0) return call();
  return moving(socket, fd, call, counted, [&](Connection& connection) {
    const Result result = receive_by(connection, socket, fd, parts, parts_count, flags, cancellable, false, call);
    if (!result.native && result.value >= 0 && from_length != nullptr) *from_length = 0;
    return result;
  });
}

namespace {

/** `begun`: others of the same call came before it. */
long receive_message(Handle socket, int fd, msghdr* message, int flags, bool cancellable, bool begun, Native call) {
  const auto counted = [&](long moved) { count(socket, Way::in, flags, moved); };
  if ((flags & MSG_ERRQUEUE) != 0) return call();
  return moving(socket, fd, call, counted, [&](Connection& connection) {
    const bool odd = impossible(message, sizeof *message);
    const Result result = odd ? ask_kernel(connection, call)
                              : receive_by(connection, socket, fd, message->msg_iov, message->msg_iovlen, flags,
                                           cancellable, begun, call);
    if (!result.native && result.value >= 0 && !odd) {
      message->msg_namelen = 0;
      message->msg_controllen = 0;
      message->msg_flags = flags & MSG_CMSG_CLOEXEC;
    }
    return result;
  });
}

long send_message(Handle socket, int fd, const msghdr* message, int flags, bool cancellable, bool begun, Native call) {
  const auto plain = [&] { return !impossible(message, sizeof *message) && message->msg_controllen == 0; };
  // Of others the kernel alone looks at the memory, which need not be there.
  if (connection_of(socket) != nullptr && plain()) {
    const std::size_t sent = send_at_once(socket, message->msg_iov, message->msg_iovlen, flags, cancellable);
    if (sent > 0) return static_cast<long>(sent);
  }
  const auto counted = [&](long moved) { count(socket, Way::out, flags, moved); };
  return moving(socket, fd, call, counted, [&](Connection& connection) {
    return plain()
               ? send_by(connection, socket, fd, message->msg_iov, message->msg_iovlen, flags, cancellable, begun, call)
               : connection.send_by_kernel(fd, waits_to_send(connection, socket, fd, flags), call, begun);
  });
}

}  // namespace

long receive_message(Handle socket, int fd, msghdr* message, int flags, bool cancellable, Native call) {
  return receive_message(socket, fd, message, flags, cancellable, false, call);
}

long send_bytes(Handle socket, int fd, const iovec* parts, std::size_t parts_count, int flags, bool cancellable,
                Native call) {
  if (const std::size_t sent = send_at_once(socket, parts, parts_count, flags, cancellable); sent > 0) {
    return static_cast<long>(sent);
  }
  const auto counted = [&](long moved) { count(socket, Way::out, flags, moved); };
  return moving(socket, fd, call, counted, [&](Connection& connection) {
    return send_by(connection, socket, fd, parts, parts_count, flags, cancellable, false, call);
  });
}

long send_message(Handle socket, int fd, const msghdr* message, int flags, bool cancellable, Native call) {
  return send_message(socket, fd, message, flags, cancellable, false, call);
}

long receive_messages(Handle socket, int fd, mmsghdr* messages, unsigned messages_count, int flags,
                      const timespec* timeout, Native call) {
  const auto counted = [&](long done) {
    for (long i = 0; i < done; i++) count(socket, Way::in, flags, static_cast<long>(messages[i].msg_len));
  };
  long value = 0;
  Connection* connection = connection_or_call(socket, fd, call, counted, value);
  if (connection == nullptr) return value;
  if (messages_count == 0 || impossible(messages, messages_count * sizeof *messages)) {
    return told(ask_kernel(*connection, call));
  }
  constexpr long kSecond = 1'000'000'000;
  if (timeout != nullptr && (impossible(timeout, sizeof *timeout) || timeout->tv_sec < 0 || timeout->tv_nsec < 0 ||
                             timeout->tv_nsec >= kSecond)) {
    return call();  // refused before the socket is looked at
  }
  // With a timeout the rest is what is there: the kernel would look at the time between two of them only.
  const bool one = (flags & MSG_WAITFORONE) != 0 || timeout != nullptr;
  unsigned done = 0;
  for (; done < messages_count; done++) {
    msghdr* message = &messages[done].msg_hdr;
    const int now = (flags & ~MSG_WAITFORONE) | (done > 0 && one ? MSG_DONTWAIT : 0);
    auto original = [&]() -> long { return sockdoc_original_recvmsg(fd, message, now); };
    const long got = receive_message(socket, fd, message, now, true, done > 0, Native(original));
    if (got < 0) break;
    messages[done].msg_len = static_cast<unsigned>(got);
    if (got == 0) {
      done++;
      break;
    }
  }
  return done > 0 ? static_cast<long>(done) : -1;
}

long send_messages(Handle socket, int fd, mmsghdr* messages, unsigned messages_count, int flags, Native call) {
  const auto counted = [&](long done) {
    for (long i = 0; i < done; i++) count(socket, Way::out, flags, static_cast<long>(messages[i].msg_len));
  };
  long value = 0;
  Connection* connection = connection_or_call(socket, fd, call, counted, value);
  if (connection == nullptr) return value;
  if (messages_count == 0 || impossible(messages, messages_count * sizeof *messages)) {
    const Result result = connection->send_by_kernel(fd, waits(socket, fd, flags), call);
    return result.again ? call() : told(result);
  }
  unsigned done = 0;
  for (; done < messages_count && done < IOV_MAX; done++) {
    const msghdr* message = &messages[done].msg_hdr;
    auto original = [&]() -> long { return sockdoc_original_sendmsg(fd, message, flags); };
    const long sent = send_message(socket, fd, message, flags, true, done > 0, Native(original));
    if (sent < 0) break;
    messages[done].msg_len = static_cast<unsigned>(sent);
    std::size_t whole = 0;
    for (std::size_t i = 0; i < message->msg_iovlen; i++) whole += message->msg_iov[i].iov_len;
    if (static_cast<std::size_t>(sent) < whole) {
      done++;
      break;
    }
  }
  return done > 0 ? static_cast<long>(done) : -1;
}

long send_natively(Handle socket, int fd, Native call) {
  const auto counted = [&](long moved) { count(socket, Way::out, 0, moved); };
  return moving(socket, fd, call, counted, [&](Connection& connection) {
    return connection.send_by_kernel(fd, waits_to_send(connection, socket, fd, 0), call);
  });
}

long splice_from(Handle socket, int fd, int to, std::size_t size, unsigned flags, Native call) {
  const auto counted = [&](long moved) { count(socket, Way::in, 0, moved); };
  long value = 0;
  Connection* connection = connection_or_call(socket, fd, call, counted, value);
  if (connection == nullptr) return value;
  // What the ring holds goes through a buffer; all that comes later is for the kernel to move.
  connection->receive_by_kernel(abi::Reason::spliced);
  std::byte buffer[16384];
  iovec part = {buffer, std::min(size, sizeof buffer)};
  const bool waiting = (flags & SPLICE_F_NONBLOCK) == 0 && waits(socket, fd, 0);
  auto none = [] { return -1L; };
  // In this order: what is set aside is there before all the rest is the kernel's.
  while (!connection->receives_natively() || connection->has_unread()) {
    Transfer look = {fd, MSG_PEEK, {&part, 1}, part.iov_len, waiting, false};
    const Result seen = connection->receive(look, Native(none));
    if (connection->receives_natively() && !connection->has_unread()) break;
    if (seen.value <= 0) return told(seen);
    const long put = raw(SYS_write, to, buffer, seen.value);
    if (failed(put)) return told({-1, static_cast<int>(-put)});
    // A peek sees across a change of carrier, which a receive stops at; behind the last one the kernel has them.
    for (auto left = static_cast<std::size_t>(put); left > 0;) {
      iovec taken = {buffer, left};
      const Transfer take = {fd, MSG_DONTWAIT, {&taken, 1}, left, false, false};
      auto natively = [&]() -> long { return sockdoc_original_recv(fd, buffer, left, MSG_DONTWAIT); };
      const Result got = connection->receive(take, Native(natively));
      if (got.value <= 0) break;
      counted(got.value);
      left -= static_cast<std::size_t>(got.value);
    }
    return put;
  }
  value = call();
  counted(value);
  return value;
}

void add_ring_bytes(Handle socket, int* value) {
  Connection* connection = connection_of(socket);
  if (connection == nullptr) return;
  *value += static_cast<int>(connection->unread());
}

}  // namespace sockdoc::preload
