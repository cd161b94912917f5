#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "preload/calls.h"
#include "preload/connection/at_once.h"
#include "preload/connection/connections.h"
#include "preload/connection/cut_short.h"
#include "preload/connection/idle_rings.h"
#include "preload/connection/spinning.h"
#include "preload/connection/transfers.h"
#include "preload/originals.h"
#include "preload/readiness/sets.h"

namespace sockdoc::preload {
namespace {

/** A look at the monitor, and a cancellation point, every so many calls that needed neither. */
constexpr std::uint32_t kNowAndThen = 1024;
/** A stream whose next message comes so soon is one of small messages in quick succession. */
constexpr std::uint64_t kQuickly = kTicksPerUs;

std::span<std::byte> memory_of(const iovec& part) { return {static_cast<std::byte*>(part.iov_base), part.iov_len}; }

/** Gives the CPU to whoever wants it: an exchange of two threads and back takes longer than a call that finds nobody.
 */
bool others_ran() {
  const std::uint64_t before = __builtin_ia32_rdtsc();
  raw(SYS_sched_yield);
  return __builtin_ia32_rdtsc() - before > kTicksPerUs;
}

/** Counts a call while it lasts. */
class Counted {
 public:
  Counted(std::atomic<std::uint32_t>& count, bool counts) : count_(counts ? &count : nullptr) {
    if (count_ != nullptr) count_->fetch_add(1);
  }
  ~Counted() {
    if (count_ != nullptr) count_->fetch_sub(1);
  }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::atomic<std::uint32_t>* count_;
};

bool nothing_now(const Moved& moved) { return moved.bytes == 0 && !moved.end && moved.error == EAGAIN; }

}  // namespace

/** By the ring without a system call, or whatever else there is with signals blocked: see ByteRing. */
Moved Connection::take_part(StreamReceiver& from, int flags, std::span<std::byte> into) {
  if ((flags & MSG_PEEK) != 0) {
    const SignalsBlocked blocked;
    return from.peek(into);
  }
  const Moved by_ring = from.receive_by_ring(into);
  if (by_ring.bytes > 0 || by_ring.error != 0) return by_ring;
  if (from.nothing_yet()) return {0, EAGAIN};
  const SignalsBlocked blocked;
  return from.receive(into);
}

/** MSG_TRUNC: bytes that nobody gets; the program's memory is not written to. */
Moved Connection::throw_away(StreamReceiver& from, std::size_t bytes) {
  std::byte nowhere[4096];
  Moved sum;
  while (sum.bytes < bytes) {
    const Moved moved = take_part(from, 0, std::span(nowhere).first(std::min(bytes - sum.bytes, sizeof nowhere)));
    if (moved.bytes == 0) {
      if (sum.bytes == 0) return moved;
      if (moved.error != 0 && moved.error != EAGAIN) from.defer(moved);
      return sum;
    }
    sum.bytes += moved.bytes;
  }
  return sum;
}

/** What is there for the parts behind the first `skip` bytes, with the receiver's role. */
Moved Connection::take(const Transfer& transfer, std::size_t skip) {
  StreamReceiver from = inbound(transfer.fd);
  if (marked_.load(std::memory_order_relaxed) != 0 && !from.resting()) {
    // The sender has woken us and gone on by the ring; or somebody else, who has not come to it yet.
    const Handle self(handle_.load(std::memory_order_relaxed));
    if (!sleepers.is_awake(self.index())) sleepers.keep_looking(self);
    marked_.store(0, std::memory_order_relaxed);
    if (!one_thread()) epoll_sets.disturb_watch(self.index());
  }
  if (sleepers_.load(std::memory_order_relaxed) == 0 && !has(kStayReceiving) &&
      (marked_.load(std::memory_order_relaxed) != 0 || from.carrier() == abi::Carrier::kernel) && from.resting()) {
    const Handle self(handle_.load(std::memory_order_relaxed));
    if (sleepers.may_wake(self, *this)) {
      from.awake();
      marked_ = 0;
    } else if (!from.resting_plainly()) {
      // What we take may be what was to wake him.
      if (from.watched()) from.forbid_ring();
      epoll_sets.disturb_watch(self.index());
    }
  }
  if ((transfer.flags & MSG_PEEK) != 0) return peek(from, transfer);
  Moved sum;
  for (const iovec& part : transfer.parts) {
    std::span<std::byte> into = memory_of(part);
    if (skip >= into.size()) {
      skip -= into.size();
      continue;
    }
    into = into.subspan(skip);
    skip = 0;
    Moved moved;
    if ((transfer.flags & MSG_TRUNC) != 0) {
      moved = throw_away(from, into.size());
    } else {
      moved = take_part(from, transfer.flags, into);
    }
    if (moved.bytes == 0) {
      if (sum.bytes == 0) return moved;
      if (moved.error != 0 && moved.error != EAGAIN) from.defer(moved);
      return sum;
    }
    sum.bytes += moved.bytes;
    if (moved.bytes < into.size()) return sum;
  }
  return sum;
}

/** The kernel's, which says an error once, also to a call that wants nothing: whoever receives is told. */
void Connection::cancellation_point(int fd) {
  const int before = errno;
  if (sockdoc_original_recv(fd, nullptr, 0, MSG_PEEK | MSG_DONTWAIT) < 0) keep_error(errno);
  errno = before;
}

void Connection::keep_error(int error) {
  if (error == EAGAIN || error == EINTR) return;
  const Holding holding(receiving_);
  if (here()) inbound().defer({0, error});
}

int Connection::tell_error(int by_kernel) {
  if (!here()) return by_kernel;
  const int error = by_kernel != 0 ? by_kernel : inbound().deferred();
  if (error == ECONNRESET) reset_told_ = 1;
  return error;
}

/**
 * The peer has closed or shut down, or died; then what it did not read is lost, as a reset would say: once, and not to
 * a call that has `begun`, whose result is how far it came.
 */
Result Connection::end_of_stream(bool begun) {
  const SocketState* state = table.state(Handle(handle_.load()));
  const bool own = state == nullptr || (state->flags.load() & kShutRead) != 0;
  const bool meant = (slot_->ends[1 - end_].flags.load() & abi::kSaidShutdown) != 0;
  if (own || meant || unsent() == 0) return {0, 0};
  if (begun) return {-1, EINTR};
  if (reset_told_.exchange(1) != 0) return {0, 0};
  return {-1, ECONNRESET};
}

/** The socket is not this one's any more: closed, or libsd has left the process meanwhile and come again. */
Result Connection::receive_again(const Transfer& transfer, std::uint32_t era, Native call) {
  if (connections.era() == era) return {-1, EBADF};
  const long value = receive_bytes(table.find(transfer.fd), transfer.fd, transfer.parts.data(), transfer.parts.size(),
                                   transfer.flags, transfer.cancellable, nullptr, call);
  return {value, errno};
}

Result Connection::receive(const Transfer& transfer, Native call) {
  const bool all = (transfer.flags & MSG_WAITALL) != 0 && (transfer.flags & MSG_PEEK) == 0 && transfer.waits;
  const Counted whole(long_reads_, all);
  if (has_unread()) [[unlikely]] {
    const Result first = receive_unread(transfer);
    if (first.value != 0) return first;
  }
  if (!here()) {
    if (natively_.load() == 0) return {-1, ECONNRESET};
    const long result = call();
    return {result, errno, true};
  }
  if (transfer.cancellable) test_cancel();
  const std::uint64_t socket = handle_.load(std::memory_order_relaxed);
  const std::uint32_t era = connections.era();
  // A peer who makes fun of us could keep us here: bytes that are announced, and never there.
  constexpr unsigned kMostVainLooks = 10'000;
  unsigned vain_looks = 0;
  std::size_t got = 0;
  bool spun = false;
  std::int64_t slept_since = 0;  // now_ms(), where that is the beginning of its time for all bytes
  // Counted by and by: a call more or less is all the same.
  const std::uint32_t calls = calls_.load(std::memory_order_relaxed) + 1;
  calls_.store(calls, std::memory_order_relaxed);
  if (calls % kReceivesAtOnce == 0) {
    look_for_io_uring();
    idle_rings.sweep_at_times();
  }
  if (calls % kNowAndThen == 0) {
    now_and_then(transfer);
    if (transfer.cancellable) cancellation_point(transfer.fd);
  }
  for (;;) {
    // Before the kernel is asked, which costs as much as many looks here; unless it is the one that has them.
    const bool sleeps = slept_.load(std::memory_order_relaxed) != 0;
    const bool by_ring = inbound().carrier() == abi::Carrier::ring;
    if (transfer.waits && !transfer.as_kernel && !spun && (by_ring || sleeps) && !something_new()) {
      spun = true;
      const bool found = spin();
      if (found && got == 0 && transfer.flags == 0 && transfer.parts.size() == 1) {
        const std::size_t at_once = receive_at_once(Handle(socket), memory_of(transfer.parts[0]), 1);
        if (at_once > 0) return {static_cast<long>(at_once)};
      }
      if (!found && !by_ring && got == 0 && natively_.load(std::memory_order_relaxed) == 0) {
        // As the last time: a look that finds nothing costs as much as the sleep.
        if (all && slept_since == 0) slept_since = now_ms();
        const Result slept = sleep(transfer, socket, transfer.begun, slept_since);
        if (slept.value < 0) return slept;
      }
    }
    Moved moved;
    bool natively = false;
    bool lent = false;
    bool set_aside = false;
    bool renewed = false;
    {
      const Holding holding(receiving_);
      renewed = handle_.load(std::memory_order_relaxed) != socket;
      if (!renewed && has(kBroken)) return got > 0 ? Result{long(got)} : Result{-1, ECONNRESET};
      const bool back = rested() || (transfer.as_kernel && natively_.load() == 0);
      if (!renewed && back) return got > 0 ? Result{static_cast<long>(got)} : kAgain;
      set_aside = !renewed && has_unread();  // since this call began: a fork
      natively = !renewed && receives_natively() && got == 0;
      lent = natively && !set_aside && lent_.load(std::memory_order_relaxed) != 0;
      if (lent && !holding.nested() && come_back(all ? 1 : 0)) return kAgain;
      if (lent) long_reads_++;
      if (!natively && !set_aside && !renewed) moved = take(transfer, got);
      if (moved.error == EPROTO) broke();
      const bool ends = moved.bytes == 0 && moved.error != 0 && moved.error != EAGAIN && moved.error != EPROTO;
      if (ends && (got > 0 || transfer.begun)) {
        inbound().defer(moved);
        moved.error = EINTR;  // the next call is told
      }
    }
    if (renewed) return got > 0 ? Result{static_cast<long>(got)} : receive_again(transfer, era, call);
    if (set_aside) return receive_behind(transfer, got, call);
    if (natively) {
      const int deferred = inbound().deferred();
      const long result = deferred != 0 ? -1 : call();
      const int error = deferred != 0 ? deferred : errno;
      if (lent) long_reads_--;
      return {result, error, deferred == 0};
    }
    constexpr int kPeekAll = MSG_PEEK | MSG_WAITALL;
    if ((transfer.flags & kPeekAll) == kPeekAll && transfer.waits && moved.bytes > 0 && moved.bytes < transfer.bytes) {
      return peek_all(transfer);
    }
    got += moved.bytes;
    if (got == transfer.bytes || (got > 0 && !all)) return {static_cast<long>(got)};
    if (moved.bytes > 0) {
      spun = false;  // it may come in quick succession now
      continue;
    }
    if (!nothing_now(moved)) {
      if (got > 0) return {static_cast<long>(got)};
      if (moved.end) return end_of_stream(transfer.begun);
      if (moved.error == ECONNRESET) reset_told_ = 1;
      if (moved.error != 0) return {-1, moved.error == EPROTO ? ECONNRESET : moved.error};
      return {0};
    }
    if (!transfer.waits) return {-1, EAGAIN};
    if (!spun) {
      spun = true;
      if (spin()) continue;
    }
    if (all && slept_since == 0) slept_since = now_ms();
    const Result slept = sleep(transfer, socket, transfer.begun || got > 0, slept_since);
    if (slept.value >= 0) {
      vain_looks = slept.value > 0 ? 0 : vain_looks + 1;
      if (vain_looks > kMostVainLooks) broke();
      continue;
    }
    if (got == 0 && !transfer.begun) return slept;
    if (slept.error != EINTR && slept.error != EAGAIN) {  // the kernel says it once: the next call is told
      const Holding holding(receiving_);
      if (handle_.load(std::memory_order_relaxed) == socket) inbound().defer({0, slept.error});
    }
    return got > 0 ? Result{static_cast<long>(got)} : Result{-1, EINTR};
  }
}

/**
 * In the kernel, until something comes: by a call that takes nothing. 0: there is something already. `begun`: behind
 * bytes that have come, or messages, any handler ends the call; `since_ms`: where its time has begun, by now_ms(), or
 * 0.
 */
Result Connection::sleep(const Transfer& transfer, std::uint64_t self, bool begun, std::int64_t since_ms) {
  constexpr std::uint64_t kAtOnce = 3 * kTicksPerUs;  // it was there already: no thread sleeps and wakes so fast
  now_and_then(transfer);
  const bool once = one_thread() && may_sleep_in_slices(transfer);
  epoll_sets.sleeps_beside_watch(Handle(self));
  if (!let_kernel_wake(self, once)) return {0};
  char byte = 0;
  long result = 0;
  int error = 0;
  const std::uint64_t fell_asleep = __builtin_ia32_rdtsc();
  Result sliced = {};
  if ((once || idle_rings.any()) && slept_in_slices(transfer, once, begun, sliced)) {
    result = sliced.value;
    error = sliced.error;
  } else if (begun) {
    const auto poll = [&](pollfd* one, const timespec* left) { return poll_one(transfer.cancellable, one, left); };
    const auto waited = static_cast<std::uint32_t>(since_ms == 0 ? 0 : now_ms() - since_ms);
    const long ready = await(transfer.fd, POLLIN, limit_of(transfer.fd, SO_RCVTIMEO, waited), poll);
    result = ready > 0 ? 1 : -1;
    error = ready == 0 ? EAGAIN : static_cast<int>(-ready);
  } else if (transfer.cancellable) {
    result = sockdoc_original_recv(transfer.fd, &byte, 1, MSG_PEEK);
    error = errno;
  } else {
    result = raw(SYS_recvfrom, transfer.fd, &byte, 1, MSG_PEEK, nullptr, nullptr);
    error = failed(result) ? static_cast<int>(-result) : 0;
  }
  const bool waited = __builtin_ia32_rdtsc() - fell_asleep > kAtOnce;
  if (waited != (slept_.load(std::memory_order_relaxed) != 0)) slept_.store(waited, std::memory_order_relaxed);
  if (once) no_more_woken_once(self);
  awake(self);
  return result < 0 ? Result{-1, error} : Result{1};
}

/** After a sleep: from now on others may sleep here too. */
void Connection::no_more_woken_once(std::uint64_t self) {
  const Holding holding(receiving_);
  if (handle_.load() != self || natively_.load() != 0 || marked_.load() == 0 || inbound().want_always()) return;
  sleepers.keep_looking(Handle(handle_.load(std::memory_order_relaxed)));
  marked_ = 0;
}

/** Whether there is something that the last look did not find. Only loads. */
bool Connection::something_new() const {
  const abi::Direction& direction = slot_->directions[1 - end_];
  return abi::tail_bytes(direction.sender.ring_tail.load(std::memory_order_acquire)) !=
             direction.receiver.ring_head.load(std::memory_order_relaxed) ||
         direction.sender.published.load(std::memory_order_relaxed) >> 1 !=
             direction.receiver.taken.load(std::memory_order_relaxed) >> 1;
}

/**
 * Small messages one after the other: who looks for each of them takes the line that says so away from the sender each
 * time, and costs both more than the message. So after a few of them that came quickly, and that we did not answer, the
 * next look is a little later.
 */
void Connection::let_batch_form(std::uint64_t start) {
  constexpr std::uint64_t kMuch = 4096;  // bytes: worth to be copied while the next come
  constexpr std::uint32_t kFew = 4;
  constexpr std::uint64_t kBatch = kTicksPerUs / 2;
  const std::uint64_t head = slot_->directions[1 - end_].receiver.ring_head.load(std::memory_order_relaxed);
  const std::uint32_t sends = sends_.load(std::memory_order_relaxed);
  const bool little = head - head_then_.load(std::memory_order_relaxed) < kMuch;
  const bool unanswered = sends == sends_then_.load(std::memory_order_relaxed);
  head_then_.store(head, std::memory_order_relaxed);
  sends_then_.store(sends, std::memory_order_relaxed);
  const std::uint32_t finds = little && unanswered ? quick_finds_.load(std::memory_order_relaxed) + 1 : 0;
  quick_finds_.store(finds, std::memory_order_relaxed);
  if (finds < kFew) return;
  while (__builtin_ia32_rdtsc() - start < kBatch) __builtin_ia32_pause();
}

/** Looks for a while before sleeping, where that has helped lately. True when something came. */
bool Connection::spin() {
  // After so many in vain only now and then: the peer is slow, or has our CPU.
  constexpr std::uint32_t kPatience = 4;
  constexpr std::uint32_t kTryAgain = 32;
  // It sleeps, or the scheduler lets it run only when we sleep: sched_yield(2) does not reach another session
  // (autogroup) or cgroup.
  constexpr int kMostAlone = 2;
  if (natively_.load(std::memory_order_relaxed) != 0 || spin_ticks == 0) return false;
  const std::uint32_t vain = vain_spins_.load(std::memory_order_relaxed);
  if (vain >= kPatience && vain % kTryAgain != 0) {
    vain_spins_.store(vain + 1, std::memory_order_relaxed);
    return false;
  }
  const bool together = beside_peer();
  const abi::EndWords& theirs = slot_->ends[1 - end_];
  const int looks = together ? 1 : 16;
  int alone = 0;
  const std::uint64_t start = __builtin_ia32_rdtsc();
  if (!together) let_batch_form(start);
  do {
    for (int i = 0; i < looks; i++) {
      if (something_new()) {
        if (vain != 0) vain_spins_.store(0, std::memory_order_relaxed);
        if (__builtin_ia32_rdtsc() - start > kQuickly) quick_finds_.store(0, std::memory_order_relaxed);
        return true;
      }
      __builtin_ia32_pause();
    }
    if ((theirs.flags.load(std::memory_order_relaxed) & (abi::kSaidShutdown | abi::kSaidClose)) != 0) return false;
    if (together && !others_ran() && ++alone == kMostAlone) break;
  } while (__builtin_ia32_rdtsc() - start < spin_ticks);
  vain_spins_.store(vain + 1, std::memory_order_relaxed);
  return false;
}

}  // namespace sockdoc::preload
