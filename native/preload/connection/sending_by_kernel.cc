#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <cerrno>
#include <ctime>

#include "preload/calls.h"
#include "preload/connection/bell.h"
#include "preload/connection/connections.h"
#include "preload/connection/cut_short.h"
#include "preload/connection/handlers.h"
#include "preload/connection/options.h"
#include "preload/connection/transfers.h"
#include "preload/originals.h"

/* Sends that are the kernel's: the program's own calls, and the rest of those whose first bytes went by the ring. */
namespace sockdoc::preload {

/**
 * What is left of a call behind `sent` bytes. A call that waits: the kernel waits for it, with its own timeout, signals
 * and cancellation, as it would behind bytes that it has taken itself.
 */
Result Connection::finish_by_kernel(const Transfer& transfer, std::size_t sent, Native call) {
  if (sent == 0 && !transfer.begun) return send_by_kernel(transfer.fd, transfer.waits, call);
  int error = 0;
  const auto poll = [&](pollfd* one, const timespec* left) { return poll_one(transfer.cancellable, one, left); };
  const auto room = [&](const Limit& until) { return await(transfer.fd, POLLOUT, until, poll); };
  const auto send = [&](std::size_t done, int flags, std::size_t& tried) -> long {
    iovec rest[kRestParts];
    msghdr message = {};
    message.msg_iov = rest;
    message.msg_iovlen = rest_of(transfer, done, rest);
    for (std::size_t i = 0; i < message.msg_iovlen; i++) tried += rest[i].iov_len;
    flags |= transfer.flags | MSG_NOSIGNAL;
    long moved = 0;
    if (transfer.cancellable) {
      moved = sockdoc_original_sendmsg(transfer.fd, &message, flags);
      if (moved < 0) moved = -errno;
    } else {
      moved = raw(SYS_sendmsg, transfer.fd, &message, flags);
    }
    error = moved < 0 ? static_cast<int>(-moved) : 0;
    return moved;
  };
  auto go_on = [&]() -> long {
    const int before = errno;
    const Limit until = transfer.waits ? limit_of(transfer.fd, SO_SNDTIMEO, 0) : Limit(0);
    const long all = send_rest(transfer.fd, sent, transfer.bytes, until, until.has_value(), room, send);
    errno = before;
    return all - static_cast<long>(sent);
  };
  const Result result = send_by_kernel(transfer.fd, transfer.waits, Native(go_on), true);
  if (result.native) keep_send_error(error);
  if (result.value > 0) sent += static_cast<std::size_t>(result.value);
  if (sent > 0) return {static_cast<long>(sent)};
  return result.value < 0 ? result : Result{-1, EINTR};
}

/** What ended a call behind bytes that it has sent: the next one is told, whatever it does. */
void Connection::keep_send_error(int error) {
  if (error != 0 && error != EPIPE && error != EBUSY && error != EPROTO) keep_error(error);
}

/**
 * While the peer stands in an old kernel read, which takes microseconds unless it was stopped there. Of the socket's
 * own wait it has the time limit and the signals: 0 to go on, or EAGAIN, EINTR.
 */
int Connection::nap(int fd, bool begun, std::uint64_t started, unsigned naps) const {
  constexpr unsigned kLongest = 6;  // 64 ms
  const timespec short_while = {0, (1L << (naps < kLongest ? naps : kLongest)) * 1'000'000};
  const bool interrupted = raw(SYS_nanosleep, &short_while, nullptr) == -EINTR;
  if (interrupted && (begun || handlers_end(fd))) return EINTR;
  const auto limit = option<timeval>(fd, SO_SNDTIMEO);
  const bool limited = limit.tv_sec != 0 || limit.tv_usec != 0;
  const auto most = static_cast<std::uint64_t>(limit.tv_sec) * 1000 + static_cast<std::uint64_t>(limit.tv_usec) / 1000;
  return limited && naps > 0 && coarse_ms() - started >= most ? EAGAIN : 0;
}

Result Connection::send_by_kernel(int fd, bool waits, Native call, bool begun) {
  if (!here()) {
    if (sends_natively_.load() == 0) return {-1, ECONNRESET};
    const long result = call();
    return {result, errno, true};
  }
  const std::uint64_t socket = handle_.load(std::memory_order_relaxed);
  std::uint64_t started = 0;
  for (unsigned naps = 0;; naps++) {
    if (naps == 1) started = coarse_ms();
    bool held = false;
    {
      const Holding holding(sending_);
      if (handle_.load(std::memory_order_relaxed) != socket) return {-1, EBADF};
      if (has(kBroken)) return {-1, ECONNRESET};
      if (rested()) return kAgain;
      if (holding.nested()) ring(end_).interrupt();
      const int refused = go_to_kernel(fd);
      if (refused == 0 && outbound().enter_kernel()) {
        // As long as it lasts nobody goes back to the ring: how much it sends is known afterwards.
        native_sends_++;
        ring_peer();  // he sleeps in the kernel then, which knows of the first byte at once
        break;
      }
      if (refused == EPROTO) {
        broke();
        return {-1, ECONNRESET};
      }
      held = refused == 0;
    }
    if (held) {
      await_release();
      continue;
    }
    if (!waits) return {-1, EAGAIN};
    if (const int error = nap(fd, begun, started, naps); error != 0) return {-1, error};
  }
  const long result = call();
  const int error = errno;
  if (result < 0 && error == ECONNRESET) reset_told_ = 1;
  if (result < 0 && error == EAGAIN) refused_.store(1, std::memory_order_relaxed);
  std::atomic<std::uint32_t>* bell = nullptr;
  {
    const Holding holding(sending_);
    if (handle_.load(std::memory_order_relaxed) == socket) {
      const SignalsBlocked blocked;
      if (result > 0) outbound().sent_by_kernel(static_cast<std::size_t>(result));
      outbound().leave_kernel();
      native_sends_--;
      bell = bell_to_ring();
    }
  }
  if (bell != nullptr) ring_bell(*bell);
  return {result, error, true};
}

}  // namespace sockdoc::preload
