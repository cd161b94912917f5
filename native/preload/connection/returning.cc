#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "preload/connection/connections.h"
#include "preload/monitor/link.h"

/*
 * Unread bytes of a ring go back into the kernel's connection: docs/protocol/switching.md. The receiver holds the
 * sender, takes all that is under way, and lets the monitor send it in his name. Both halves are here.
 */
namespace sockdoc::preload {
namespace {

void nap_us(long us) {
  const timespec a_while = {0, us * 1000};
  raw(SYS_nanosleep, &a_while, nullptr);
}

bool says(int fd, short events) {
  pollfd one = {fd, events, 0};
  const timespec at_once = {};
  return raw(SYS_ppoll, &one, 1, &at_once, nullptr, 8) != 0;
}

/** Bytes that ever arrived in the kernel's socket, whoever has read them; or all ones. */
std::uint64_t arrived(int fd) {
  tcp_info info = {};
  socklen_t length = sizeof info;
  const long got = raw(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, &info, &length);
  const bool known = !failed(got) && length >= offsetof(tcp_info, tcpi_segs_out);
  return known ? info.tcpi_bytes_received : ~std::uint64_t{0};
}

struct Taken {
  std::size_t bytes = 0;
  int error = 0;  // that the kernel has told, once
  bool all = false;
};

/** What the kernel has for `fd`, until the sender is held and nothing is on its way any more. */
Taken take_from_kernel(int fd, const StreamReceiver& from, std::span<std::byte> into, std::uint64_t deadline) {
  Taken taken;
  bool held = false;
  while (taken.bytes < into.size()) {
    const std::span<std::byte> rest = into.subspan(taken.bytes);
    const long got = raw(SYS_recvfrom, fd, rest.data(), rest.size(), MSG_DONTWAIT, nullptr, nullptr);
    if (got > 0) {
      taken.bytes += static_cast<std::size_t>(got);
      continue;
    }
    if (got == -EINTR) continue;
    if (got != -EAGAIN) {
      taken.error = static_cast<int>(-got);
      break;
    }
    if (held) {
      taken.all = true;
      break;
    }
    const StreamReceiver::Hold hold = from.sender_held();
    if (hold == StreamReceiver::Hold::impossible) break;
    held = hold == StreamReceiver::Hold::held && arrived(fd) == from.by_kernel();
    if (held) continue;  // what has arrived since the look before
    if (coarse_ms() >= deadline) break;
    pollfd one = {fd, POLLIN, 0};
    const timespec a_while = {0, 1'000'000};
    raw(SYS_ppoll, &one, 1, &a_while, nullptr, 8);
  }
  return taken;
}

}  // namespace

/**
 * From now on somebody sends who does not look at the shared words. With the sender's role. False: the receiver holds
 * us; `at_once`: and has to be done with it himself.
 */
bool Connection::send_alone(bool at_once) {
  StreamSender to = outbound();
  if (at_once) (void)to.take_leave();
  if (!to.send_alone()) return false;
  sends_natively_ = 1;
  return true;
}

/** The receiver holds us, for as long as it takes to hand over what he has not read: some hundred microseconds. */
void Connection::await_release() {
  constexpr std::uint64_t kPatienceWhenFinal = 5 * kPatienceMs;
  const std::uint64_t start = coarse_ms();
  while (outbound().held()) {
    nap_us(200);
    const std::uint64_t waited = coarse_ms() - start;
    if (waited > kPatienceMs && outbound().take_leave()) {
      // Once he may have been stopped in the middle of it.
      if (held_in_vain_.exchange(1) != 0) broke();
      return;
    }
    if (waited > kPatienceWhenFinal) return broke();
  }
}

/** The peer counts what he sends, and nothing is about to end. */
bool Connection::may_hold_peer(int fd) const {
  const abi::EndWords& theirs = slot_->ends[1 - end_];
  return theirs.mapped.load(std::memory_order_relaxed) == place_.generation &&
         theirs.flags.load(std::memory_order_relaxed) == 0 && !says(fd, POLLRDHUP | POLLPRI);
}

bool Connection::return_to_kernel(int fd, std::uint64_t deadline) {
  if (!here() || !table.mine()) return false;
  const Holding receiving(receiving_);
  if (has(kBroken) || !has(kStayReceiving) || sends_natively_.load() == 0) return false;
  if (receives_natively() && !has_unread()) return true;
  if (!may_hold_peer(fd)) return false;
  const SignalsBlocked blocked;
  StreamReceiver from = inbound(fd);
  from.hold_sender();
  const bool returned = (natively_.load() != 0 || set_aside(fd, deadline)) && take_behind(fd, from, deadline) &&
                        from.hold_finally() && monitor_returns(fd, deadline);
  if (returned) drop_unread();
  from.let_sender_go();
  return returned;
}

void Connection::return_at_times(int fd) {
  constexpr std::uint32_t kTries = 3;
  constexpr std::uint64_t kAWhile = 100;  // ms
  // The thread that we run on may have been stopped in the midst of it.
  if (!here() || in_use() || (natively_.load() != 0 && !has_unread()) || return_tries_ == kTries) return;
  return_tries_++;
  (void)return_to_kernel(fd, coarse_ms() + kAWhile);
}

/** Puts what the kernel has behind what was set aside. False: that is not all that there will be. */
bool Connection::take_behind(int fd, const StreamReceiver& from, std::uint64_t deadline) {
  const long mapped =
      raw(SYS_mmap, 0, abi::kMostUnread, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (failed(mapped)) return false;
  const std::span<std::byte> place(reinterpret_cast<std::byte*>(mapped), abi::kMostUnread);
  const iovec first = {place.data(), place.size()};
  std::size_t bytes = unread_.take({&first, 1}, false, true);
  Taken behind;
  behind.error = unread_.error();
  if (behind.error == 0) behind = take_from_kernel(fd, from, place.subspan(bytes), deadline);
  bytes += behind.bytes;
  drop_unread();
  if (bytes > 0 || behind.error != 0) {
    if (unread_.make(cookie_, bytes)) {
      std::memcpy(unread_.room().data(), place.data(), bytes);
      unread_.made(bytes);
      if (behind.error != 0) unread_.tell(behind.error);
      unread_process_ = table.process();
      adopt_unread(unread_.take_fd());
    } else {
      broke();
    }
  }
  raw(SYS_munmap, mapped, abi::kMostUnread);
  return behind.all && !has(kBroken);
}

/** With the sender held finally, and an empty socket. */
bool Connection::monitor_returns(int fd, std::uint64_t deadline) {
  constexpr std::uint64_t kToEnd = 4 * kPatienceMs;  // for a monitor that has begun
  if (!has_unread()) return true;
  const int memory = unread_fd();
  const std::size_t bytes = unread_.left();
  if (memory < 0) return false;
  unread_.begin_return();
  not_returned_ = 0;
  while (!monitor_link.give_back(handle(), cookie_, memory, bytes)) {
    // Another thread may be speaking to it.
    if (!monitor_link.listens() || coarse_ms() >= deadline) return false;
    nap_us(100);
  }
  while (unread_.returning() != abi::Returning::ended) {
    monitor_link.look();
    const std::uint64_t now = coarse_ms();
    if ((not_returned_.load() != 0 || now >= deadline) && unread_.cancel_return()) return false;
    if (now >= deadline + kToEnd) {
      broke();
      return false;
    }
    nap_us(100);
  }
  const std::size_t returned = unread_.returned();
  if (returned < bytes) take_back(fd, returned, deadline + kToEnd);
  return returned == bytes;
}

/** The kernel has not taken all: what it did is what we have first in our memory still. */
void Connection::take_back(int fd, std::size_t bytes, std::uint64_t deadline) {
  while (bytes > 0) {
    const long got = raw(SYS_recvfrom, fd, nullptr, bytes, MSG_DONTWAIT | MSG_TRUNC, nullptr, nullptr);
    if (got > 0) {
      bytes -= static_cast<std::size_t>(got);
    } else if ((got != -EAGAIN && got != -EINTR) || coarse_ms() >= deadline) {
      return broke();
    } else {
      nap_us(100);
    }
  }
}

}  // namespace sockdoc::preload
