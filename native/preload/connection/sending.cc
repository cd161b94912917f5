#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>

#include "preload/calls.h"
#include "preload/connection/at_once.h"
#include "preload/connection/bell.h"
#include "preload/connection/connections.h"
#include "preload/connection/handlers.h"
#include "preload/connection/idle_rings.h"
#include "preload/connection/options.h"
#include "preload/connection/spinning.h"
#include "preload/connection/transfers.h"
#include "preload/originals.h"
#include "preload/readiness/waiting.h"

namespace sockdoc::preload {
namespace {

/** Shortens the parts to so many bytes; how many are left. */
std::size_t first_of(iovec (&parts)[kRestParts], std::size_t count, std::size_t most) {
  for (std::size_t i = 0; i < count; i++) {
    if (parts[i].iov_len >= most) {
      parts[i].iov_len = most;
      return i + 1;
    }
    most -= parts[i].iov_len;
  }
  return count;
}

/** True after a signal handler, which one that was held until now counts for. */
bool sleep_unless_interrupted(long ns, const SignalsHeld& signals) {
  const timespec time = {0, ns};
  return raw(SYS_ppoll, nullptr, 0, &time, signals.mask(), 8) == -EINTR;
}

std::span<const std::byte> memory_of(const iovec& part) {
  return {static_cast<const std::byte*>(part.iov_base), part.iov_len};
}

}  // namespace

/** Back to the ring, once the receiver is awake and has taken everything. With the sender's role. */
Connection::Wait Connection::prefer_ring(int fd, bool waits) {
  if (has(kStaySending) || native_sends_.load(std::memory_order_relaxed) != 0) return Wait::in_vain;
  StreamSender to = outbound(fd);
  if (to.carrier() == abi::Carrier::ring || to.kernel_wanted()) return Wait::in_vain;
  const abi::EndWords& theirs = slot_->ends[1 - end_];
  if (theirs.mapped.load(std::memory_order_acquire) != place_.generation) return Wait::in_vain;
  const bool unproven = unproven_.load(std::memory_order_relaxed) != 0;
  if (unproven && static_cast<std::int64_t>(to.behind()) < 0) {
    keep_on_kernel(abi::Reason::counters_differ);
    return Wait::in_vain;
  }
  // Behind much that the kernel still holds a ring would be full before it is read.
  if (!caught_up(to)) {
    const Wait wait = waits ? wait_for_reader(to, false) : Wait::in_vain;
    if (wait != Wait::worth_it) return wait;
  }
  if (unproven && !prove(to)) return Wait::in_vain;
  const SignalsBlocked blocked;
  if (!to.switch_to(abi::Carrier::ring)) return Wait::in_vain;
  has_woken_.store(0, std::memory_order_relaxed);
  return Wait::worth_it;
}

/** The reader has taken all that the ring carried, and most of what the kernel did. */
bool Connection::caught_up(const StreamSender& to) const {
  const bool proved = unproven_.load(std::memory_order_relaxed) == 0;
  const bool woken = has_woken_.load(std::memory_order_relaxed) != 0;
  return to.drained(woken) && to.behind() <= (proved ? ring_bytes_ / 2 : 0);
}

/**
 * What the kernel's counters say that was sent is what the peer has received: by a byte more the two would never be the
 * same, by one less the peer would be ahead of us as soon as it has read everything. With the sender's role.
 */
bool Connection::prove(const StreamSender& to) {
  const std::uint64_t sent = to.sent();
  if (to.behind() == 0 && proved_at_.exchange(sent) != sent) unproven_.fetch_sub(1);
  return unproven_.load() == 0;
}

/** 0; EAGAIN when the receiver stands in an old kernel read for longer than anybody should; EPROTO. */
int Connection::go_to_kernel(int fd) {
  const SignalsBlocked blocked;
  StreamSender to = outbound();
  if (to.switch_to(abi::Carrier::kernel)) return 0;
  if (!to.may_switch_back()) return EPROTO;
  if (!receiver_has_ended(fd)) return has(kBroken) ? EPROTO : EAGAIN;
  // Killed in that read, perhaps.
  to.forget_older_read();
  return to.switch_to(abi::Carrier::kernel) ? 0 : EAGAIN;
}

/** Whether the process that reads from our ring is no more, or cannot be reached by the kernel either. */
bool Connection::receiver_has_ended(int fd) {
  constexpr std::uint64_t kPatience = 1000;  // ms
  pollfd one = {fd, POLLRDHUP, 0};
  const timespec at_once = {};
  if (raw(SYS_ppoll, &one, 1, &at_once, nullptr, 8) != 1) return false;
  if ((one.revents & (POLLHUP | POLLERR)) != 0) return true;
  // The end of its stream without a word of it. One that shut down its half may still read, or may have been killed.
  const std::uint32_t flags = slot_->ends[1 - end_].flags.load(std::memory_order_relaxed);
  if ((flags & abi::kSaidShutdown) == 0) return true;
  const std::uint64_t now = coarse_ms();
  std::uint64_t since = 0;
  if (in_doubt_ms_.compare_exchange_strong(since, now)) since = now;
  if (now - since > kPatience) broke();
  return false;
}

/**
 * The peer may have died, which the ring does not say. From its end on bytes go by the kernel, which knows whether they
 * are a broken pipe.
 */
void Connection::look_for_end(int fd) {
  pollfd one = {fd, POLLRDHUP, 0};
  const timespec at_once = {};
  if (raw(SYS_ppoll, &one, 1, &at_once, nullptr, 8) == 1) flags_.fetch_or(kStaySending);
}

void Connection::give_back_options(int fd) {
  SocketState* state = gone_back() ? table.state(Handle(handle_.load(std::memory_order_relaxed))) : nullptr;
  if (state != nullptr) delay_as_meant(*state, fd);
}

/**
 * He names his watch before he says that he sleeps on it, and says so before he is watched. Who sees that he is watched
 * still, and has not closed, knows that the state is of a sleep which this connection's bytes end.
 */
Connection::Sleeper Connection::sleeper(const StreamSender& to) const {
  Sleeper result;
  result.tail = to.sleeper();
  if (!ByteRing::watched(result.tail) || slab_->memory == nullptr) return result;
  const abi::EndWords& theirs = slot_->ends[1 - end_];
  const std::uint32_t watch = theirs.watch.load(std::memory_order_acquire);
  if (watch == 0 || watch > abi::kWatches) return result;
  auto& page = *reinterpret_cast<abi::WatchPage*>(slab_->memory + abi::kWatchesOffset);
  std::atomic<std::uint64_t>& state = page.watches[watch - 1].state;
  result.state = state.load();
  if (to.sleeper() == result.tail && (theirs.flags.load() & abi::kSaidClose) == 0 &&
      theirs.mapped.load() == place_.generation) {
    result.watch = &state;
  }
  return result;
}

/** With bytes by the kernel, unless they are held back. */
void Connection::has_woken(StreamSender& to, Sleeper sleeper) {
  if (!to.all_on_their_way()) return;
  if (!sleeper.watch->compare_exchange_strong(sleeper.state, sleeper.state & ~abi::Watch::kAsleep)) return;
  if (to.awake_again(sleeper.tail)) has_woken_.store(1, std::memory_order_relaxed);
}

/**
 * One who sleeps on a watch and has a doorbell gets his bytes by the ring. From begin() on nobody else sees that he has
 * to be woken, so it is done in any case, and not before there is something to find.
 */
class Connection::Ringing {
 public:
  Ringing() = default;
  ~Ringing() { now(); }
  Ringing(const Ringing&) = delete;
  Ringing& operator=(const Ringing&) = delete;

  void begin(Doorbell& doorbell, Sleeper sleeper) {
    doorbell_ = &doorbell;
    sleeper_ = sleeper;
  }
  void now() {
    if (doorbell_ == nullptr) return;
    doorbell_->ring();
    doorbell_ = nullptr;
    // Where it fails he was awake meanwhile.
    (void)sleeper_.watch->compare_exchange_strong(sleeper_.state, sleeper_.state & ~abi::Watch::kAsleep);
  }

 private:
  Doorbell* doorbell_ = nullptr;
  Sleeper sleeper_;
};

/** What goes without waiting. With the sender's role. */
Moved Connection::give(const Transfer& transfer, bool nested) {
  constexpr std::uint64_t kLookAgain = 100 * kTicksPerUs;
  StreamSender to = outbound(transfer.fd);
  const std::uint32_t sends = sends_.load(std::memory_order_relaxed) + 1;
  sends_.store(sends, std::memory_order_relaxed);
  if (sends % kSendsAtOnce == 0) {
    const std::uint64_t now = __builtin_ia32_rdtsc();
    if (now - looked_for_end_.load(std::memory_order_relaxed) > kLookAgain) {
      looked_for_end_.store(now, std::memory_order_relaxed);
      look_for_end(transfer.fd);
    }
    idle_rings.sweep_at_times();
  }
  // We interrupted a send of this thread on this socket: what it is about to announce must not be.
  if (nested) ring(end_).interrupt();
  if ((slot_->ends[1 - end_].flags.load(std::memory_order_relaxed) & abi::kSaidClose) != 0 ||
      (slot_->ends[end_].flags.load(std::memory_order_relaxed) & abi::kSaidShutdown) != 0) {
    flags_.fetch_or(kStaySending);  // the kernel's answer is the right one now
  }
  Ringing ringing;
  if (has(kStaySending)) {
    if (const int error = go_to_kernel(transfer.fd); error != 0) return {0, error};
    give_back_options(transfer.fd);
  } else {
    const Sleeper one = sleeper(to);
    // Behind what he has not taken of the kernel's, which wakes him too, the next bytes go by the kernel.
    const bool rings = !nested && one.by_doorbell() && slab_->doorbell.there() &&
                       (to.carrier() == abi::Carrier::ring || caught_up(to));
    if (one.by_doorbell() && !slab_->doorbell.there()) misses_doorbell_.store(1, std::memory_order_relaxed);
    if ((one.is_awake() || rings) && to.awake_again(one.tail)) {
      has_woken_.store(1);
      if (rings) ringing.begin(slab_->doorbell, one);
    }
    if (to.carrier() == abi::Carrier::kernel) {
      const Wait wait = prefer_ring(transfer.fd, transfer.waits && !nested);
      if (wait == Wait::interrupted && (transfer.begun || handlers_end(transfer.fd))) return {0, EINTR};
    }
  }
  if (transfer.parts.size() > 1 && to.send_whole(transfer.parts, transfer.bytes)) return {transfer.bytes};
  // Room that was there and is not when we come: a peer who makes fun of us would keep us here.
  constexpr unsigned kVainWaits = 64;
  constexpr std::size_t kWakes = 32768;  // of a larger message
  unsigned waits = 0;
  Moved sum;
  std::size_t part = 0;
  std::size_t done = 0;  // of that part
  bool by_kernel = false;
  for (;;) {
    for (; part < transfer.parts.size() && done >= transfer.parts[part].iov_len; part++) {
      done -= transfer.parts[part].iov_len;
    }
    if (part == transfer.parts.size()) return sum;
    Moved moved = to.send_by_ring(memory_of(transfer.parts[part]).subspan(done));
    if (moved.error == 0 && moved.bytes == 0) {
      if (to.carrier() == abi::Carrier::ring && waits < kVainWaits && has_pages_now(to)) {
        waits++;
        continue;
      }
      ringing.now();
      if (transfer.waits && !nested && to.carrier() == abi::Carrier::ring && waits++ < kVainWaits) {
        const Wait wait = wait_for_reader(to, true);
        if (wait == Wait::worth_it) continue;
        // As it ends the kernel's call, which has slept then.
        if (wait == Wait::interrupted && (sum.bytes > 0 || transfer.begun || handlers_end(transfer.fd))) {
          sum.error = EINTR;
          return sum;
        }
      }
      // All that is left in one call: a segment for each part would cost a wake-up each, and answers in pieces.
      iovec rest[kRestParts];
      std::size_t count = rest_of(transfer, sum.bytes, rest);
      const Sleeper one = nested ? Sleeper() : sleeper(to);
      const bool more = !by_kernel && (one.is_asleep() || (!nested && to.woken_once()));
      by_kernel = true;
      if (more) count = first_of(rest, count, kWakes);
      {
        const SignalsBlocked blocked;
        moved = to.send_by_kernel({rest, count});
      }
      if (to.has_woken()) has_woken_.store(1, std::memory_order_relaxed);
      if (one.is_asleep() && moved.bytes > 0) has_woken(to, one);
      // The reader is woken by that; what is left need not go the same way.
      if (more && moved.bytes > 0 && sum.bytes + moved.bytes < transfer.bytes) (void)prefer_ring(transfer.fd, false);
    }
    if (moved.bytes == 0) {
      sum.error = moved.error;
      return sum;
    }
    ringing.now();
    done += moved.bytes;
    sum.bytes += moved.bytes;
    waits = 0;
  }
}

/**
 * The ring is full, or much lies in the kernel before what would come by it, and the reader may be at work. A call that
 * waits anyway gives him a moment: a program that writes faster than the other reads would otherwise fill the kernel's
 * buffers, which hold many rings, and hardly ever find the ring of use. Worth it when there is room, or he has caught
 * up.
 */
Connection::Wait Connection::wait_for_reader(const StreamSender& to, bool for_room) {
  constexpr std::uint64_t kNoProgress = 500 * kTicksPerUs;
  constexpr std::uint64_t kLongest = 5000 * kTicksPerUs;
  constexpr std::uint32_t kPatience = 4;
  constexpr std::uint32_t kTryAgain = 64;
  constexpr std::uint64_t kAtOnce = 5 * kTicksPerUs;  // no signal is held for so short a wait
  constexpr long kNap = 50'000;                       // ns
  const std::uint32_t vain = vain_waits_.load(std::memory_order_relaxed);
  if (vain >= kPatience && vain % kTryAgain != 0) {
    vain_waits_.store(vain + 1, std::memory_order_relaxed);
    return Wait::in_vain;
  }
  ring_peer();
  // On one CPU the reader is only at work while we are not.
  const bool together = slot_->ends[1 - end_].cpu.load(std::memory_order_relaxed) == this_cpu() + 1;
  const abi::ReceiverWords& theirs = slot_->directions[end_].receiver;
  const std::uint64_t head = theirs.ring_head.load(std::memory_order_relaxed);
  const std::uint64_t start = __builtin_ia32_rdtsc();
  std::uint64_t now = start;
  std::uint64_t moved = start;
  std::uint64_t seen = to.taken();
  SignalsHeld signals;
  bool found = false;
  while (!to.kernel_wanted() && now - moved <= kNoProgress && now - start <= kLongest) {
    found = for_room ? theirs.ring_head.load(std::memory_order_acquire) != head : caught_up(to);
    if (found) break;
    if (now - start > kAtOnce) signals.hold();
    if (now - start < spin_ticks) {
      together ? void(raw(SYS_sched_yield)) : __builtin_ia32_pause();
    } else if (sleep_unless_interrupted(kNap, signals)) {
      return Wait::interrupted;
    }
    now = __builtin_ia32_rdtsc();
    if (const std::uint64_t there = to.taken(); there != seen) {
      seen = there;
      moved = now;
    }
  }
  const std::uint32_t in_vain = found ? 0 : vain + 1;
  if (in_vain != vain) vain_waits_.store(in_vain, std::memory_order_relaxed);
  if (signals.mask() != nullptr && sleep_unless_interrupted(0, signals)) return Wait::interrupted;
  return found ? Wait::worth_it : Wait::in_vain;
}

/** As receive_again(). */
Result Connection::send_again(const Transfer& transfer, std::uint32_t era, Native call) {
  if (connections.era() == era) return {-1, EBADF};
  const long value = send_bytes(table.find(transfer.fd), transfer.fd, transfer.parts.data(), transfer.parts.size(),
                                transfer.flags, transfer.cancellable, call);
  return {value, errno};
}

Result Connection::send(const Transfer& transfer, Native call) {
  if (!here()) return send_by_kernel(transfer.fd, transfer.waits, call);
  if (transfer.cancellable) test_cancel();
  const std::uint64_t socket = handle_.load(std::memory_order_relaxed);
  const std::uint32_t era = connections.era();
  Moved moved;
  bool renewed = false;
  std::atomic<std::uint32_t>* bell = nullptr;
  {
    const Holding holding(sending_);
    renewed = handle_.load(std::memory_order_relaxed) != socket;
    if (!renewed && has(kBroken)) return {-1, ECONNRESET};
    if (!renewed && rested()) return kAgain;
    if (!renewed) moved = give(transfer, holding.nested());
    if (moved.bytes > 0) bell = bell_to_ring();
  }
  if (bell != nullptr) ring_bell(*bell);
  // Who never waits here finds what the monitor gave by looking.
  if (misses_doorbell_.load(std::memory_order_relaxed) != 0) {
    misses_doorbell_.store(0, std::memory_order_relaxed);
    notice_messages();
  }
  if (renewed) return send_again(transfer, era, call);
  const std::uint32_t refused = moved.bytes == transfer.bytes ? 0 : 1;
  if (refused_.load(std::memory_order_relaxed) != refused) refused_.store(refused, std::memory_order_relaxed);
  if (moved.bytes == transfer.bytes) return {static_cast<long>(moved.bytes)};
  if (moved.error == EPROTO) {
    broke();
    return moved.bytes > 0 ? Result{static_cast<long>(moved.bytes)} : Result{-1, ECONNRESET};
  }
  // Held, which no event would tell the end of: also a call that does not wait goes on then.
  if (moved.error == EBUSY) return finish_by_kernel(transfer, moved.bytes, call);
  if (moved.error == EAGAIN) {
    if (transfer.waits) return finish_by_kernel(transfer, moved.bytes, call);
    return moved.bytes > 0 ? Result{static_cast<long>(moved.bytes)} : Result{-1, EAGAIN};
  }
  if (moved.bytes > 0) {
    keep_send_error(moved.error);
    return {static_cast<long>(moved.bytes)};
  }
  if (moved.error == EPIPE) {
    // The kernel says it again, with its signal, unless there is an error that it has told already.
    moved.error = inbound().deferred();
    if (moved.error == 0) return send_by_kernel(transfer.fd, transfer.waits, call);
  }
  if (moved.error == ECONNRESET) reset_told_ = 1;
  return {-1, moved.error};
}

std::size_t rest_of(const Transfer& transfer, std::size_t done, iovec (&rest)[kRestParts]) {
  std::size_t count = 0;
  for (const iovec& part : transfer.parts) {
    if (done >= part.iov_len) {
      done -= part.iov_len;
      continue;
    }
    if (count == kRestParts) break;
    rest[count++] = {static_cast<std::byte*>(part.iov_base) + done, part.iov_len - done};
    done = 0;
  }
  return count;
}

}  // namespace sockdoc::preload
