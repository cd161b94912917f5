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
#include "preload/monitor/errand.h"
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

/** The peer counts what he sends, and nothing is about to end. */
bool may_hold(const abi::EndWords& theirs, std::uint64_t generation, int fd) {
  return theirs.mapped.load(std::memory_order_relaxed) == generation &&
         theirs.flags.load(std::memory_order_relaxed) == 0 && !says(fd, POLLRDHUP | POLLPRI);
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

bool Connection::return_to_kernel(int fd, std::uint64_t deadline) {
  const Holding receiving(receiving_);
  if (has(kBroken) || (here() && !has(kStayReceiving)) || sends_natively_.load() == 0) return false;
  if (receives_natively() && !has_unread()) return true;
  const SignalsBlocked blocked;
  Errand errand;
  const bool ours = here() && table.mine();
  if (!ours && !errand.begin(fd, !here(), deadline)) return false;
  const abi::Place& place = here() ? place_ : errand.place();
  abi::SlotHead& slot = here() ? *slot_ : *errand.slot();
  std::byte* const rings = here() ? rings_ : errand.rings();
  if (!may_hold(slot.ends[1 - place.end], place.generation, fd)) return false;
  const std::size_t direction = 1 - place.end;
  StreamReceiver from(slot.directions[direction],
                      ByteRing(slot.directions[direction], {rings + direction * place.ring_bytes, place.ring_bytes}),
                      KernelStream(fd));
  from.hold_sender();
  const bool returned =
      (natively_.load() != 0 || set_aside(fd, deadline)) && return_all(fd, from, ours ? nullptr : &errand, deadline);
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

/**
 * With the receiver's role: what was set aside, and what the kernel has behind it. Others who share the memory wait
 * meanwhile.
 */
bool Connection::return_all(int fd, StreamReceiver& from, Errand* errand, std::uint64_t deadline) {
  while (!unread_.freeze()) {
    if (!unread_.frozen()) return !has_unread();
    if (coarse_ms() >= deadline) return false;
    nap_us(100);
  }
  const long mapped =
      raw(SYS_mmap, 0, abi::kMostUnread, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (failed(mapped)) {
    unread_.thaw(false);
    return false;
  }
  const std::span<std::byte> place(reinterpret_cast<std::byte*>(mapped), abi::kMostUnread);
  const std::size_t first = unread_.copy(place);
  const Taken behind = take_from_kernel(fd, from, place.subspan(first), deadline);
  const std::span<std::byte> bytes = place.first(first + behind.bytes);
  bool returned = false;
  UnreadBytes all;
  if (behind.all && all.make(cookie_, bytes.size())) {
    std::memcpy(all.room().data(), bytes.data(), bytes.size());
    all.made(bytes.size());
    returned = from.hold_finally() && monitor_returns(fd, all, errand, deadline);
    all.discard();
  }
  const bool broken = has(kBroken);  // the kernel may have some of it
  const bool as_before = !returned && !broken && behind.bytes == 0 && behind.error == 0;
  const bool keeps = !returned && !broken && !as_before && errand == nullptr;
  // Before those who share it may go on, and past what is missing.
  if (!returned && !as_before && !keeps) reset_connection(fd);
  if (keeps) unread_.tell(ECONNRESET);
  unread_.thaw(!as_before);
  if (keeps) {
    keep_unread(bytes, behind.error);
  } else if (errand == nullptr && !as_before) {
    drop_unread();
  }
  raw(SYS_munmap, mapped, abi::kMostUnread);
  return returned;
}

/** What was taken, and could not be returned, is to be read by this process still. */
void Connection::keep_unread(std::span<const std::byte> bytes, int error) {
  drop_unread();
  if (!unread_.make(cookie_, bytes.size())) return broke();
  if (!bytes.empty()) std::memcpy(unread_.room().data(), bytes.data(), bytes.size());
  unread_.made(bytes.size());
  if (error != 0) unread_.tell(error);
  unread_process_ = table.process();
  adopt_unread(unread_.take_fd());
}

/** Somebody who shares what was set aside gives it back to the kernel: that takes some hundred microseconds. */
void Connection::await_thaw(int fd) {
  constexpr std::uint64_t kLongerThanItTakes = 7 * kPatienceMs;
  constexpr std::uint64_t kOnceInVain = kPatienceMs / 5;
  if (!unread_.frozen()) return;
  // A child that means harm could do it to every connection that it shares.
  static constinit std::atomic<std::uint64_t> patience{kLongerThanItTakes};
  const std::uint64_t start = coarse_ms();
  while (unread_.frozen()) {
    nap_us(100);
    if (coarse_ms() - start < patience.load()) continue;
    patience = kOnceInVain;
    // He was ended in the midst of it, and may have had bytes that came behind these.
    unread_.thaw(true);
    unread_.tell(ECONNRESET);
    reset_connection(fd);
    // By memory of our own: he could freeze the other again and again.
    keep_unread({}, ECONNRESET);
    return was_reset();
  }
}

/** With the sender held finally, and an empty socket. `errand`: of who does not have the link to the monitor. */
bool Connection::monitor_returns(int fd, const UnreadBytes& all, Errand* errand, std::uint64_t deadline) {
  constexpr std::uint64_t kToEnd = 4 * kPatienceMs;  // for a monitor that has begun
  const int memory = all.fd();
  const std::size_t bytes = all.left();
  if (memory < 0) return false;
  all.begin_return();
  not_returned_ = 0;
  const auto ask = [&] {
    return errand != nullptr ? errand->give_back(cookie_, memory, bytes)
                             : monitor_link.give_back(handle(), cookie_, memory, bytes);
  };
  while (!ask()) {
    // Another thread may be speaking to it.
    if (errand != nullptr || !monitor_link.listens() || coarse_ms() >= deadline) return false;
    nap_us(100);
  }
  while (all.returning() != abi::Returning::ended) {
    if (errand == nullptr) monitor_link.look();
    const bool refused = errand != nullptr ? errand->refused() : not_returned_.load() != 0;
    const std::uint64_t now = coarse_ms();
    if ((refused || now >= deadline) && all.cancel_return()) return false;
    if (now >= deadline + kToEnd) {
      broke();
      return false;
    }
    nap_us(100);
  }
  const std::size_t returned = all.returned();
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
