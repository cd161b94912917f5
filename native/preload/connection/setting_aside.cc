#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <ctime>

#include "preload/calls.h"
#include "preload/connection/connection.h"
#include "preload/readiness/sleepers.h"

/* What happens to unread bytes of a ring when somebody else gets the socket: see UnreadBytes. */
namespace sockdoc::preload {
namespace {

constexpr std::size_t kMost = abi::kMostUnread;

void wait_for(int fd, short events) {
  pollfd one = {fd, events, 0};
  const timespec a_while = {0, 10'000'000};
  raw(SYS_ppoll, &one, 1, &a_while, nullptr, 8);
}

}  // namespace

bool Connection::set_aside(int fd, std::uint64_t deadline) {
  if (!here()) return natively_.load() != 0;
  const Holding receiving(receiving_);
  if (receives_natively()) return true;
  if (has(kBroken) || !has(kStayReceiving) || has_unread()) return false;
  const SignalsBlocked blocked;
  StreamReceiver from = inbound(fd);
  const std::size_t bytes = from.until_ring_is_empty();
  if (bytes == kRingViolated) broke();
  unread_.drop();
  if (bytes == kRingViolated || bytes > kMost || !unread_.make(cookie_, bytes)) return false;
  std::size_t got = 0;
  while (got < bytes) {
    const Moved moved = from.receive(unread_.room().subspan(got));
    got += moved.bytes;
    if (moved.bytes > 0) continue;
    if (moved.error == EPROTO) broke();
    // The kernel's bytes before those of the ring were sent, but may be under way.
    if (moved.error != EAGAIN || coarse_ms() >= deadline) break;
    wait_for(fd, POLLIN);
  }
  unread_.made(got);
  if (const int error = from.deferred(); error != 0) unread_.tell(error);
  sleepers.keep_looking(Handle(handle_.load()));
  return receives_natively();
}

namespace {

/** Takes out of a socket what its peer `peer_fd` has sent; the bytes, or -1. */
long take_all(int fd, int peer_fd, std::span<std::byte> into, std::uint64_t deadline) {
  std::size_t got = 0;
  for (;;) {
    int on_the_way = 0;
    if (failed(raw(SYS_ioctl, peer_fd, TIOCOUTQ, &on_the_way))) return -1;
    const long n = raw(SYS_recvfrom, fd, into.data() + got, into.size() - got, MSG_DONTWAIT, nullptr, nullptr);
    if (n > 0) got += static_cast<std::size_t>(n);
    if (n == -EAGAIN && on_the_way == 0) return static_cast<long>(got);
    if (n == 0 || (failed(n) && n != -EAGAIN && n != -EINTR) || coarse_ms() >= deadline) return -1;
    if (n == -EAGAIN) wait_for(fd, POLLIN);
  }
}

bool send_all(int fd, std::span<const std::byte> bytes, std::uint64_t deadline) {
  while (!bytes.empty()) {
    const long n = raw(SYS_sendto, fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL, nullptr, 0);
    if (n > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    } else if ((n != -EAGAIN && n != -EINTR) || coarse_ms() >= deadline) {
      return false;
    } else {
      wait_for(fd, POLLOUT);
    }
  }
  return true;
}

}  // namespace

bool Connection::send_anew(int fd, Connection& peer, int peer_fd, std::uint64_t deadline) {
  const Holding receiving(receiving_);
  const Holding sending(peer.sending_);
  const SignalsBlocked blocked;
  if (natively_.load() == 0 || peer.native_sends_.load() != 0 || peer.go_to_kernel(peer_fd) != 0) return false;
  const UnreadBytes::Frozen frozen = unread_.freeze_until(deadline);
  if (frozen == UnreadBytes::Frozen::nothing) return !has_unread();
  if (frozen == UnreadBytes::Frozen::by_another) return false;
  const long mapped =
      raw(SYS_mmap, 0, kMost, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  bool sent = false;
  if (!failed(mapped)) {
    const std::span<std::byte> place(reinterpret_cast<std::byte*>(mapped), kMost);
    const std::size_t set_aside = unread_.copy(place);
    const long behind = take_all(fd, peer_fd, place.subspan(set_aside), deadline);
    sent = behind >= 0 && send_all(peer_fd, place.first(set_aside + static_cast<std::size_t>(behind)), deadline);
    raw(SYS_munmap, mapped, kMost);
  }
  if (!sent) reset_connection(fd);  // before those who share the bytes go past what is missing
  unread_.thaw(true);
  return sent;
}

void Connection::inherit_unread(Handle self, std::uint64_t cookie, int fd) {
  if (!unread_.open(fd)) return;
  cookie_ = cookie;
  process_ = kNobody;
  inherited_by_ = table.process();
  natively_ = 1;
  sends_natively_ = 1;
  if (const long copy = raw(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 0); !failed(copy)) unread_.have(static_cast<int>(copy));
  handle_.store(self.word(), std::memory_order_release);
  sleepers.keep_looking(self);
}

bool Connection::leave_unread(bool to_next_program) {
  if (!has_unread()) return true;
  const int fd = unread_.fd();
  return fd >= 0 && !failed(raw(SYS_fcntl, fd, F_SETFD, to_next_program ? 0 : FD_CLOEXEC));
}

void Connection::forked() {
  sending_.begin_anew();
  receiving_.begin_anew();
}

Result Connection::receive_unread(const Transfer& transfer) {
  const bool peek = (transfer.flags & MSG_PEEK) != 0;
  std::size_t got = 0;
  {
    const Holding receiving(receiving_);
    if (here() && unread_.was_reset()) was_reset();
    do {
      await_thaw(transfer.fd);
      got = unread_.take(transfer.parts, peek, (transfer.flags & MSG_TRUNC) == 0);
    } while (got == 0 && unread_.frozen());
    if (unread_.left() == 0) {
      const int error = peek ? 0 : unread_.error();
      if (error != 0 && got == 0) return {-1, error};
      if (error != 0) unread_.tell(error);
    }
  }
  const bool all = (transfer.flags & MSG_WAITALL) != 0;
  if (got == 0 || got == transfer.bytes || (!peek && !all) || natively_.load() == 0) return {static_cast<long>(got)};
  iovec rest[kRestParts];
  msghdr message = {};
  message.msg_iov = rest;
  message.msg_iovlen = rest_of(transfer, got, rest);
  const int flags = transfer.flags | (all ? 0 : MSG_DONTWAIT);
  long more = 0;
  if (transfer.cancellable) {
    more = sockdoc_original_recvmsg(transfer.fd, &message, flags);
    if (more < 0) more = -errno;
  } else {
    more = raw(SYS_recvmsg, transfer.fd, &message, flags);
  }
  if (failed(more) && more != -EAGAIN && more != -EINTR) {
    const Holding receiving(receiving_);
    unread_.tell(static_cast<int>(-more));  // the kernel says it once: the next call is told
  }
  return {static_cast<long>(got) + (more > 0 ? more : 0)};
}

/** Goes on with a call that has got so much, now that what comes next was set aside. */
Result Connection::receive_behind(const Transfer& transfer, std::size_t got, Native call) {
  if (got == 0) return receive(transfer, call);
  iovec rest[kRestParts];
  Transfer behind = transfer;
  behind.parts = {rest, rest_of(transfer, got, rest)};
  behind.bytes = 0;
  for (const iovec& part : behind.parts) behind.bytes += part.iov_len;
  msghdr message = {};
  message.msg_iov = rest;
  message.msg_iovlen = behind.parts.size();
  auto natively = [&]() -> long { return sockdoc_original_recvmsg(transfer.fd, &message, transfer.flags); };
  const Result more = receive(behind, Native(natively));
  return {static_cast<long>(got) + (more.value > 0 ? more.value : 0)};
}

}  // namespace sockdoc::preload
