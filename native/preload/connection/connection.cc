#include "preload/connection/connection.h"

#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <tuple>

#include "preload/connection/bell.h"
#include "preload/connection/connections.h"
#include "preload/monitor/link.h"
#include "preload/readiness/sets.h"
#include "preload/readiness/watches.h"

namespace sockdoc::preload {

ByteRing Connection::ring(unsigned direction) const {
  return ByteRing(slot_->directions[direction], {rings_ + std::size_t{direction} * ring_bytes_, ring_bytes_});
}

StreamSender Connection::outbound(int fd) const { return {slot_->directions[end_], ring(end_), KernelStream(fd)}; }

StreamReceiver Connection::inbound(int fd) const {
  const unsigned direction = 1 - end_;
  return {slot_->directions[direction], ring(direction), KernelStream(fd)};
}

bool Connection::has_ring_bytes() {
  if (has_unread()) return true;
  if (!here() || natively_.load(std::memory_order_relaxed) != 0) return false;
  return has(kBroken) || inbound().ring_is_next();
}

/** `once` is for one thread that sleeps on this socket alone. */
bool Connection::let_kernel_wake(std::uint64_t self, bool once) {
  constexpr std::uint32_t kMost = 100;
  if (has_unread()) return false;
  if (!here()) return true;
  const Holding holding(receiving_);
  if (handle_.load() != self || has(kBroken) || has_unread()) return false;
  if (natively_.load() == 0 && !rested()) {
    const std::uint64_t taken = slot_->directions[1 - end_].receiver.ring_head.load(std::memory_order_relaxed);
    if (taken != once_at_) once_ = 0;
    once_at_ = taken;
    once = once && sleepers_.load() == 0 && !has(kStayReceiving) && once_++ < kMost;
    const Rest rest = inbound().rest(once);
    if (rest == Rest::impossible) broke();
    if (rest != Rest::sleep) return false;
    marked_ = 1;
    remember_pages();
  }
  sleepers_++;
  return true;
}

void Connection::mark(Handle self) {
  if (!here()) return has_unread() ? void() : sleepers.fall_asleep(self);
  const Holding holding(receiving_);
  if (handle_.load() != self.word() || has_unread()) return;
  if (natively_.load() == 0 && !rested()) {
    inbound().forbid_ring();
    marked_ = 1;
    remember_pages();
  }
  sleepers.marked(self, inbound().in_ring() == 0);
}

bool Connection::mark_watched(Handle self, Watches& watches) {
  if (!here()) return false;
  const Holding holding(receiving_);
  if (holding.nested() || handle_.load() != self.word() || !on_rings() || has_unread() || natively_.load() != 0 ||
      sleepers_.load() != 0 || sleepers.by_name(self.index())) {
    return false;
  }
  const std::uint32_t watch = watches.of(*slab_);
  if (watch == 0) return false;
  slot_->ends[end_].watch.store(watch, std::memory_order_release);
  // Another waiter may have found it empty since we looked at it.
  if (!sleepers.is_awake(self.index())) sleepers.keep_looking(self);
  inbound().forbid_ring(true);
  marked_ = 1;
  remember_pages();
  if (!has(kStayReceiving)) return true;
  inbound().forbid_ring();  // said meanwhile, without the role
  return false;
}

bool Connection::unwatch(Handle self) {
  if (!here() || marked_.load() == 0 || inbound().resting_plainly()) return false;
  const Holding holding(receiving_);
  if (handle_.load() != self.word()) return false;
  if (!inbound().resting()) return true;
  if (!inbound().watched()) return false;
  inbound().forbid_ring();
  return true;
}

void Connection::unmark(Handle self) {
  if (!here() || marked_.load() == 0 || has(kStayReceiving | kBroken | kRested)) return;
  const Holding holding(receiving_);
  if (holding.nested() || handle_.load() != self.word() || marked_.load() == 0 || sleepers_.load() != 0 ||
      natively_.load() != 0 || has(kStayReceiving | kBroken | kRested) || !sleepers.may_wake(self, *this)) {
    return;
  }
  inbound().awake();
  marked_ = 0;
}

Connection::Announced Connection::wait_at_bell(Handle self) {
  const Holding holding(receiving_);  // so that the memory stays
  if (holding.nested() || !here() || handle_.load(std::memory_order_relaxed) != self.word()) return {AtBell::never};
  const abi::EndWords& theirs = slot_->ends[1 - end_];
  slot_->ends[end_].bell.store(1);
  // In this order: who changes to a way that does not ring says so before he rings for the last time.
  const bool rings = on_rings() && !has_unread() && theirs.flags.load() == 0 &&
                     theirs.mapped.load() == place_.generation && !inbound().sender_is_alone();
  if (!rings) return {AtBell::never};
  if (inbound().more_by_kernel()) return {AtBell::not_now};
  return {AtBell::may, &slot_->ends[end_].bell};
}

void Connection::awake(std::uint64_t self) {
  if (!here()) return;
  const Holding holding(receiving_);
  if (handle_.load() == self && sleepers_.load() > 0) sleepers_--;
}

std::uint64_t Connection::arrivals() const {
  if (!here()) return 0;
  return abi::tail_bytes(slot_->directions[1 - end_].sender.ring_tail.load(std::memory_order_acquire));
}

std::uint64_t Connection::received() const {
  if (!here()) return 0;
  const abi::ReceiverWords& mine = slot_->directions[1 - end_].receiver;
  return mine.ring_head.load(std::memory_order_relaxed) + mine.kernel_received.load(std::memory_order_relaxed);
}

void Connection::receive_by_kernel(abi::Reason reason) {
  lent_ = 0;
  if (!here() || (flags_.fetch_or(kStayReceiving) & kStayReceiving) != 0) return;
  inbound().forbid_ring();
  marked_ = 1;
  if (reason_.load() == 0) reason_ = static_cast<std::uint32_t>(reason);
  report(reason);
}

/** The link to the monitor is the owner's: a child that runs on its memory leaves that to him. */
void Connection::report(abi::Reason reason) {
  if (table.on_loan()) {
    unreported_ = static_cast<std::uint32_t>(reason);
  } else {
    monitor_link.report(cookie_, abi::Carrier::kernel, reason);
  }
}

void Connection::keep_on_kernel(abi::Reason reason) {
  if (!here()) return;
  flags_.fetch_or(kStaySending);
  receive_by_kernel(reason);
}

/** With the receiver's role. */
bool Connection::receives_natively() {
  if (unreported_.load(std::memory_order_relaxed) != 0 && !table.on_loan()) [[unlikely]] {
    report(static_cast<abi::Reason>(unreported_.exchange(0)));
  }
  if (natively_.load(std::memory_order_relaxed) != 0) return true;
  if (!has(kStayReceiving) || !here()) return false;
  StreamReceiver from = inbound();
  if (!from.resting()) from.forbid_ring();  // a read of another thread let bytes in at the same moment
  // No byte can be put into the ring any more, so an empty one stays empty.
  if (from.in_ring() != 0) return false;
  natively_ = 1;
  return true;
}

void Connection::was_reset() {
  if (!here()) return unread_.tell_reset();
  if (has(kBroken)) return;
  reason_ = static_cast<std::uint32_t>(abi::Reason::reset);
  report(abi::Reason::reset);
}

void Connection::broke() {
  flags_.fetch_or(kBroken);
  reason_ = static_cast<std::uint32_t>(abi::Reason::broken_peer);
  monitor_link.report(cookie_, abi::Carrier::kernel, abi::Reason::broken_peer);
}

std::size_t Connection::unread() { return unread_.left() + (here() ? inbound().in_ring() : 0); }

std::size_t Connection::unsent() const {
  if (!here()) return 0;
  const abi::Direction& direction = slot_->directions[end_];
  const std::uint64_t bytes = abi::tail_bytes(direction.sender.ring_tail.load()) - direction.receiver.ring_head.load();
  return bytes <= ring_bytes_ ? static_cast<std::size_t>(bytes) : 0;
}

void Connection::said_shutdown() {
  if (!here()) return;
  slot_->ends[end_].flags.fetch_or(abi::kSaidShutdown);
  ring_peer();
}

std::pair<std::uint64_t, std::uint64_t> Connection::by_ring() const {
  return {abi::tail_bytes(slot_->directions[end_].sender.ring_tail.load()),
          slot_->directions[1 - end_].receiver.ring_head.load()};
}

void Connection::read(sockdoc_socket_state& into) {
  if (!here()) return;
  into.mapped = 1;
  if (into.reason == 0) into.reason = reason_.load();
  into.sends_by_ring = outbound().carrier() == abi::Carrier::ring;
  into.receives_by_ring = inbound().carrier() == abi::Carrier::ring;
  std::tie(into.ring_sent, into.ring_received) = by_ring();
}

bool Connection::hand_over(int fd, abi::Reason reason, std::uint64_t deadline) {
  if (!here()) return natively_.load() != 0 && sends_natively_.load() != 0;
  {
    const Holding receiving(receiving_);  // so that it does not come back from a fork halfway
    keep_on_kernel(reason);
  }
  return go_back(fd, deadline);
}

bool Connection::go_back(int fd, std::uint64_t deadline) {
  give_back_options(fd);
  for (;;) {
    int error = 0;
    {
      const Holding sending(sending_);
      error = go_to_kernel(fd);
      const bool late = coarse_ms() >= deadline;
      if (error == 0 && !send_alone(late)) error = late ? EPROTO : EAGAIN;
      if (error != EAGAIN || late) break;
    }
    const timespec short_while = {0, 1'000'000};
    raw(SYS_nanosleep, &short_while, nullptr);
  }
  const Holding receiving(receiving_);
  return receives_natively() && sends_natively_.load() != 0;
}

void Connection::go_back(int fd, abi::Reason reason) {
  if (!here()) return;
  keep_on_kernel(reason);
  if (const HoldingIfFree sending(sending_); sending && go_to_kernel(fd) == 0) sends_natively_ = 1;
  if (const HoldingIfFree receiving(receiving_); receiving) (void)receives_natively();
  give_back_options(fd);
}

void Connection::make_inert(MappedSlab& no_slab) {
  alignas(abi::kPage) static constinit std::byte no_memory[abi::slot_bytes(abi::kMinRingBytes)] = {};
  slot_ = reinterpret_cast<abi::SlotHead*>(no_memory);
  rings_ = no_memory + abi::kPage;
  ring_bytes_ = abi::kMinRingBytes;
  slab_ = &no_slab;
}

/** The end of this process's part; `last`: no other process has the socket. */
void Connection::finish(int fd, bool last) {
  const Handle self(handle_.load());
  if (finished(fd, last)) epoll_sets.disturb_watch(self.index());
}

/** Whether a sleeper may count on what came to it. */
bool Connection::finished(int fd, bool last) {
  const Holding receiving(receiving_);
  const Holding sending(sending_);
  handle_ = 0;
  const bool watched = here() && marked_.load() != 0 && !inbound().resting_plainly();
  if (const std::uint32_t reason = unreported_.exchange(0); reason != 0) report(static_cast<abi::Reason>(reason));
  const bool thrown_away = has_unread();
  if (here() && unread_.was_reset()) was_reset();
  unread_.drop();
  if (!here()) return false;
  if (last) {
    if (fd >= 0 && (thrown_away || (natively_.load() == 0 && inbound().in_ring() > 0))) {
      // The kernel would tell a peer that its bytes were thrown away, had it carried them.
      const linger at_once = {1, 0};
      raw(SYS_setsockopt, fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    slot_->ends[end_].flags.fetch_or(abi::kSaidClose);
  } else {
    slot_->ends[end_].mapped = 0;  // who has the socket now does not look there
  }
  ring_peer();
  slab_->users.fetch_sub(1);
  return watched;
}

void Connection::now_and_then(const Transfer& transfer) {
  monitor_link.look();
  monitor_link.tend_at_times();
  look_for_io_uring();
  const std::uint32_t runs = monitor_link.runs();
  if (runs != run_) {
    run_ = runs;
    monitor_link.restore(Handle(handle_.load()), transfer.fd, place_);
  }
}

}  // namespace sockdoc::preload
