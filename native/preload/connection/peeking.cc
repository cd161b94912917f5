#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "preload/calls.h"
#include "preload/connection/connections.h"
#include "preload/originals.h"
#include "preload/readiness/sets.h"

/* MSG_PEEK where what is looked at lies in several places, or more of it is waited for. */
namespace sockdoc::preload {

/** The same bytes would be found for every part, so that those of several come by a place of our own. */
Moved Connection::peek(StreamReceiver& from, const Transfer& transfer) {
  constexpr std::size_t kMost = std::size_t{16} << 20;  // more than a ring and the kernel hold
  const bool written = (transfer.flags & MSG_TRUNC) == 0;
  if (transfer.parts.size() == 1 && written) {
    const iovec& part = transfer.parts[0];
    return take_part(from, transfer.flags, {static_cast<std::byte*>(part.iov_base), part.iov_len});
  }
  const std::size_t size = std::min(transfer.bytes, kMost);
  const long mapped =
      raw(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (failed(mapped)) return {0, ENOMEM};
  auto* const place = reinterpret_cast<std::byte*>(mapped);
  const Moved moved = take_part(from, transfer.flags, {place, size});
  std::size_t done = 0;
  for (const iovec& part : transfer.parts) {
    const std::size_t bytes = std::min(part.iov_len, moved.bytes - done);
    if (written && bytes > 0) std::memcpy(part.iov_base, place + done, bytes);
    done += bytes;
  }
  raw(SYS_munmap, mapped, size);
  return moved;
}

/**
 * MSG_PEEK with MSG_WAITALL, when some of it is there: the rest comes by the kernel, which can wait for so many bytes.
 * As its own call it comes back with less at a signal, at the end of the stream and after SO_RCVTIMEO.
 */
Result Connection::peek_all(const Transfer& transfer) {
  const std::uint64_t socket = handle_.load(std::memory_order_relaxed);
  std::size_t missing = 0;
  epoll_sets.sleeps_beside_watch(Handle(socket));
  {
    const Holding holding(receiving_);
    if (handle_.load(std::memory_order_relaxed) != socket) return {-1, EBADF};
    if (rested()) return kAgain;
    StreamReceiver from = inbound(transfer.fd);
    from.forbid_ring();
    marked_ = 1;
    const std::size_t by_ring = from.in_ring();
    missing = transfer.bytes > by_ring ? transfer.bytes - by_ring : 0;
    sleepers_++;
  }
  constexpr int kLook = MSG_PEEK | MSG_WAITALL | MSG_TRUNC;  // nothing is copied
  if (missing > 0 && transfer.cancellable) {
    if (sockdoc_original_recv(transfer.fd, nullptr, missing, kLook) < 0) keep_error(errno);
  } else if (missing > 0) {
    const long seen = raw(SYS_recvfrom, transfer.fd, nullptr, missing, kLook, nullptr, nullptr);
    if (failed(seen)) keep_error(static_cast<int>(-seen));
  }
  awake(socket);
  constexpr std::size_t kMost = std::size_t{16} << 20;
  const std::size_t size = std::min(transfer.bytes, kMost);
  const long mapped =
      raw(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (failed(mapped)) return {-1, ENOMEM};
  auto* const place = reinterpret_cast<std::byte*>(mapped);
  Moved seen;
  bool set_aside = false;
  {
    const Holding holding(receiving_);
    const SignalsBlocked blocked;
    set_aside = has_unread();
    if (handle_.load(std::memory_order_relaxed) != socket) {
      seen.error = EBADF;
    } else {
      seen = inbound(transfer.fd).peek({place, size});
      if (seen.error == EPROTO) broke();
    }
  }
  std::size_t done = 0;
  for (const iovec& part : transfer.parts) {
    const std::size_t bytes = std::min(part.iov_len, seen.bytes - done);
    if ((transfer.flags & MSG_TRUNC) == 0 && bytes > 0) std::memcpy(part.iov_base, place + done, bytes);
    done += bytes;
  }
  raw(SYS_munmap, mapped, size);
  if (set_aside) {
    const Result unread = receive_unread(transfer);
    return unread.value == 0 ? kAgain : unread;  // it went back to the kernel meanwhile
  }
  if (seen.bytes > 0) return {static_cast<long>(seen.bytes)};
  if (seen.end || seen.error == EAGAIN) return kAgain;  // another thread has taken them
  return {-1, seen.error == EPROTO ? ECONNRESET : seen.error};
}

}  // namespace sockdoc::preload
