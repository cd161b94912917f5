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
#include "preload/connection/patience.h"
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

constinit Patience thaw_patience;

/**
 * From now on somebody sends who does not look at the shared words. With the sender's role. False: the receiver holds
 * us; `at_once`: and has to be done with it himself.
 */
bool Connection::send_alone(bool at_once) {
  StreamSender to = outbound();
  if (at_once) (void)to.take_leave();
  if (!to.send_alone()) return false;
  ring_peer();  // for the last time
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

/** One return, with the receiver's role: whose words these are, and who asks the monitor. */
class Connection::Return {
 public:
  Return(Connection& of, int fd, std::uint64_t deadline)
      : of_(of), fd_(fd), deadline_(deadline), ours_(of.here() && table.mine()) {}

  [[nodiscard]] bool run();

 private:
  [[nodiscard]] bool return_all(StreamReceiver& from);
  [[nodiscard]] bool by_monitor(std::span<const std::byte> bytes, StreamReceiver& from);
  [[nodiscard]] bool await_monitor(const UnreadBytes& all);
  void take_back(std::size_t bytes, std::uint64_t deadline);
  [[nodiscard]] bool ask(int memory, std::uint64_t bytes);
  [[nodiscard]] bool refused();

  Connection& of_;
  int fd_;
  std::uint64_t deadline_;
  bool ours_;  // and the link to the monitor; else a child goes on an errand
  Errand errand_;
};

bool Connection::return_to_kernel(int fd, std::uint64_t deadline) {
  const Holding receiving(receiving_);
  if (has(kBroken) || (here() && !has(kStayReceiving)) || sends_natively_.load() == 0) return false;
  if (receives_natively() && !has_unread()) return true;
  const SignalsBlocked blocked;
  return Return(*this, fd, deadline).run();
}

bool Connection::Return::run() {
  if (!ours_ && !errand_.begin(fd_, !of_.here(), deadline_)) return false;
  const MappedPlace at = of_.here() ? MappedPlace{of_.place_, of_.slot_, of_.rings_} : errand_.mapped();
  if (!may_hold(at.slot->ends[1 - at.place.end], at.place.generation, fd_)) return false;
  const std::size_t direction = 1 - at.place.end;
  abi::Direction& words = at.slot->directions[direction];
  StreamReceiver from(words, ByteRing(words, {at.rings + direction * at.place.ring_bytes, at.place.ring_bytes}),
                      KernelStream(fd_));
  // Another process that has the socket may be at it: to let go what he holds would mix the bytes.
  while (!from.hold_sender()) {
    if (coarse_ms() >= deadline_) return false;
    nap_us(100);
  }
  const bool returned = (of_.natively_.load() != 0 || of_.set_aside(fd_, deadline_)) && return_all(from);
  from.let_sender_go();
  return returned;
}

/** What was set aside, and what the kernel has behind it. Others who share the memory wait meanwhile. */
bool Connection::Return::return_all(StreamReceiver& from) {
  const UnreadBytes::Frozen frozen = of_.unread_.freeze_until(deadline_);
  if (frozen == UnreadBytes::Frozen::nothing) return !of_.has_unread();
  if (frozen == UnreadBytes::Frozen::by_another) return false;
  const long mapped =
      raw(SYS_mmap, 0, abi::kMostUnread, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (failed(mapped)) {
    of_.unread_.thaw(false);
    return false;
  }
  const std::span<std::byte> place(reinterpret_cast<std::byte*>(mapped), abi::kMostUnread);
  const std::size_t first = of_.unread_.copy(place);
  const Taken behind = take_from_kernel(fd_, from, place.subspan(first), deadline_);
  const std::span<std::byte> bytes = place.first(first + behind.bytes);
  const bool returned = behind.all && by_monitor(bytes, from);
  const bool broken = of_.has(kBroken);  // the kernel may have some of it
  const bool as_before = !returned && !broken && behind.bytes == 0 && behind.error == 0;
  const bool keeps = ours_ && !returned && !broken && !as_before;
  // Before those who share it may go on, and past what is missing.
  if (!returned && !as_before && !keeps) reset_connection(fd_);
  if (keeps) of_.unread_.tell(ECONNRESET);
  of_.unread_.thaw(!as_before);
  if (keeps) {
    of_.keep_unread(bytes, behind.error);
  } else if (ours_ && !as_before) {
    of_.unread_.drop();
  }
  raw(SYS_munmap, mapped, abi::kMostUnread);
  return returned;
}

/** With the sender held, and an empty socket. */
bool Connection::Return::by_monitor(std::span<const std::byte> bytes, StreamReceiver& from) {
  UnreadBytes all;
  if (!all.make(of_.cookie_, bytes.size(), OwnDescriptors::For::moment)) return false;
  std::memcpy(all.room().data(), bytes.data(), bytes.size());
  all.made(bytes.size());
  const bool returned = from.hold_finally() && await_monitor(all);
  all.discard();
  return returned;
}

bool Connection::Return::await_monitor(const UnreadBytes& all) {
  constexpr std::uint64_t kToEnd = 4 * kPatienceMs;  // for a monitor that has begun
  int memory = all.fd();
  const std::size_t bytes = all.left();
  if (memory < 0) return false;
  all.begin_return();
  if (!ask(memory, bytes)) return false;
  while (all.returning() != abi::Returning::ended) {
    bool not_done = refused();
    // The program put something where the memory stood, and the monitor has looked there.
    if (not_done && memory != all.fd()) not_done = !ask(memory = all.fd(), bytes);
    const std::uint64_t now = coarse_ms();
    if ((not_done || now >= deadline_) && all.cancel_return()) return false;
    if (now >= deadline_ + kToEnd) {
      of_.broke();
      return false;
    }
    nap_us(100);
  }
  const std::size_t returned = all.returned();
  if (returned < bytes) take_back(returned, deadline_ + kToEnd);
  return returned == bytes;
}

/** The kernel has not taken all: what it did is what we have first in our memory still. */
void Connection::Return::take_back(std::size_t bytes, std::uint64_t deadline) {
  while (bytes > 0) {
    const long got = raw(SYS_recvfrom, fd_, nullptr, bytes, MSG_DONTWAIT | MSG_TRUNC, nullptr, nullptr);
    if (got > 0) {
      bytes -= static_cast<std::size_t>(got);
    } else if ((got != -EAGAIN && got != -EINTR) || coarse_ms() >= deadline) {
      return of_.broke();
    } else {
      nap_us(100);
    }
  }
}

bool Connection::Return::ask(int memory, std::uint64_t bytes) {
  if (!ours_) return errand_.give_back(of_.cookie_, memory, bytes);
  of_.not_returned_ = 0;
  while (!monitor_link.give_back(of_.handle(), of_.cookie_, memory, bytes)) {
    // Another thread may be speaking to it.
    if (!monitor_link.listens() || coarse_ms() >= deadline_) return false;
    nap_us(100);
  }
  return true;
}

/** Whether the monitor does not do it. */
bool Connection::Return::refused() {
  if (!ours_) return errand_.refused();
  monitor_link.look();
  return of_.not_returned_.load() != 0;
}

void Connection::return_at_times(int fd) {
  constexpr std::uint32_t kTries = 3;
  constexpr std::uint64_t kAWhile = 100;  // ms
  // The thread that we run on may have been stopped in the midst of it.
  if (!here() || in_use() || (natively_.load() != 0 && !has_unread()) || return_tries_ == kTries) return;
  return_tries_++;
  (void)return_to_kernel(fd, coarse_ms() + kAWhile);
}

/** What was taken, and could not be returned, is to be read by this process still. */
void Connection::keep_unread(std::span<const std::byte> bytes, int error) {
  unread_.drop();
  if (!unread_.make(cookie_, bytes.size())) return broke();
  if (!bytes.empty()) std::memcpy(unread_.room().data(), bytes.data(), bytes.size());
  unread_.made(bytes.size());
  if (error != 0) unread_.tell(error);
}

/** Somebody who shares what was set aside gives it back to the kernel: that takes some hundred microseconds. */
void Connection::await_thaw(int fd) {
  if (!unread_.frozen()) return;
  const std::uint64_t start = coarse_ms();
  while (unread_.frozen()) {
    nap_us(100);
    const std::uint64_t now = coarse_ms();
    if (now - start < thaw_patience.ms(now)) continue;
    thaw_patience.in_vain(now);
    // He was ended in the midst of it, and may have had bytes that came behind these.
    unread_.thaw(true);
    unread_.tell(ECONNRESET);
    reset_connection(fd);
    // By memory of our own: he could freeze the other again and again.
    keep_unread({}, ECONNRESET);
    return was_reset();
  }
}

}  // namespace sockdoc::preload
