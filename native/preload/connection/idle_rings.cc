#include "preload/connection/idle_rings.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <cerrno>

#include "preload/calls.h"
#include "preload/connection/connections.h"
#include "preload/connection/cut_short.h"

namespace sockdoc::preload {

constinit IdleRings idle_rings;

void IdleRings::used(Handle socket) {
  const std::uint32_t word = socket.index() / kBits;
  const std::uint64_t bit = std::uint64_t{1} << socket.index() % kBits;
  if ((used_[word].load(std::memory_order_relaxed) & bit) != 0) return;
  used_[word].fetch_or(bit);
  std::uint32_t words = words_.load();
  while (words <= word && !words_.compare_exchange_weak(words, word + 1)) {
  }
  any_ = 1;
}

Handlers IdleRings::handlers() {
  constexpr std::uint64_t kSecond = 1'000'000 * kTicksPerUs;
  const std::uint64_t now = __builtin_ia32_rdtsc();
  if (now - handlers_seen_.load(std::memory_order_relaxed) > kSecond) {
    handlers_ = signal_handlers();
    handlers_seen_.store(now, std::memory_order_relaxed);
  }
  return handlers_;
}

bool IdleRings::sweep(unsigned most) {
  constexpr std::uint64_t kSecond = 1'000'000 * kTicksPerUs;
  if (!table.mine()) return false;
  // Neither two threads nor a handler within it.
  const SignalsBlocked blocked;
  if (sweeping_.exchange(1, std::memory_order_acquire) != 0) return false;
  due_ = __builtin_ia32_rdtsc() + kSecond;
  const std::uint64_t now = coarse_ms();
  const std::uint32_t words = words_.load();
  bool left = false;
  if (next_ >= words) {
    next_ = 0;
    any_ = 0;  // first: who comes to use one meanwhile says so again
  }
  unsigned looked = 0;
  for (; next_ < words && looked < most; next_++) {
    for (std::uint64_t bits = used_[next_].load(); bits != 0; bits &= bits - 1) {
      const auto bit = static_cast<unsigned>(__builtin_ctzll(bits));
      looked++;
      // Before the look: what is used from now on counts anew.
      used_[next_].fetch_and(~(std::uint64_t{1} << bit));
      if (connections.look_for_pages(next_ * kBits + bit, now)) continue;
      used_[next_].fetch_or(std::uint64_t{1} << bit);
      left = true;
    }
  }
  const bool more = next_ < words;
  if (left || more) any_ = 1;
  sweeping_.store(0, std::memory_order_release);
  return more;
}

/** Pages that small messages need stay. True when nothing is to be given back, or will be before it is used again. */
bool Connection::give_pages_back(std::uint64_t now) {
  constexpr std::uint64_t kIdleMs = 90;
  constexpr std::uint32_t kPatience = 10;  // looks at bytes that nobody reads
  if (!here()) return true;
  const HoldingIfFree sending(sending_);
  const HoldingIfFree receiving(receiving_);
  if (!sending || !receiving) return false;
  if (handle_.load() == 0) return true;
  ByteRing out = ring(end_);
  ByteRing in = ring(1 - end_);
  const std::uint64_t taken = slot_->directions[1 - end_].receiver.ring_head.load(std::memory_order_relaxed);
  const std::uint64_t carried =
      taken + abi::tail_bytes(slot_->directions[end_].sender.ring_tail.load(std::memory_order_relaxed));
  if (carried != carried_) {
    carried_ = carried;
    carried_ms_ = now;
    vain_looks_ = 0;
    return false;
  }
  if (now - carried_ms_ < kIdleMs) return false;
  bool all = true;
  if (out.pages() > kFirstBytes) {
    if (out.forget_pages()) {
      give_back(out.memory());
    } else {
      all = false;
    }
  }
  if (taken - inbound_pages_since_ > kFirstBytes) {
    const ByteRing::Held held = in.hold();
    if (held == ByteRing::Held::no) {
      all = false;
    } else {
      give_back(in.memory());
      inbound_pages_since_ = taken;
      in.let_go(held);
      if (has(kStayReceiving)) in.forbid();  // said meanwhile
    }
  }
  return all || ++vain_looks_ > kPatience;
}

bool Connections::look_for_pages(std::uint32_t index, std::uint64_t now) {
  Connection* connection = known(index);
  return connection == nullptr || connection->give_pages_back(now);
}

/**
 * With the sender's role, when the ring took nothing: whether it lacked pages and has them now. Without memory the
 * kernel carries from here on.
 */
bool Connection::has_pages_now(StreamSender& to) {
  const std::span<std::byte> missing = to.missing_pages();
  if (missing.empty()) return false;
  if (!populate(missing)) {
    flags_.fetch_or(kStaySending);
    if (reason_.load() == 0) reason_ = static_cast<std::uint32_t>(abi::Reason::no_memory);
    report(abi::Reason::no_memory);
    return false;
  }
  to.pages_came(missing.size());
  if (ring(end_).pages() > kFirstBytes) idle_rings.used(Handle(handle_.load(std::memory_order_relaxed)));
  return true;
}

/**
 * Whether a sleep of recv may be one of ppoll: the kernel's own call alone knows the socket's time limit, and goes on
 * after those handlers that want that.
 */
bool Connection::may_sleep_in_slices(const Transfer& transfer) const {
  timeval limit = {};
  socklen_t length = sizeof limit;
  return !failed(raw(SYS_getsockopt, transfer.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, &length)) && limit.tv_sec == 0 &&
         limit.tv_usec == 0 && idle_rings.handlers() != Handlers::both;
}

/**
 * A receive that is about to wait for long, while rings hold pages: waits in slices, and looks for pages between them.
 * False: the kernel's own call has to wait, as before. `once`: see let_kernel_wake(); then it always has waited.
 * `begun`: a part has come already, so that any handler ends the call.
 */
bool Connection::slept_in_slices(const Transfer& transfer, bool once, bool begun, Result& result) {
  const timespec slice = {0, IdleRings::kSliceMs * 1'000'000};
  if (!once && !may_sleep_in_slices(transfer)) return false;
  while (once || idle_rings.any()) {
    const timespec* limit = idle_rings.any() ? &slice : nullptr;
    pollfd one = {transfer.fd, POLLIN, 0};
    const long found = poll_one(transfer.cancellable, &one, limit);
    if (found > 0) {
      result = {1};
      return true;
    }
    if (failed(found)) {
      const bool goes_on = found == -EINTR && !begun && signal_handlers() == Handlers::restart_calls;
      if (!once && (goes_on || found != -EINTR)) return false;
      // To be woken once counts for this sleep: the handler may have read what woke us.
      result = goes_on ? Result{1} : Result{-1, static_cast<int>(-found)};
      return true;
    }
    while (idle_rings.any() && idle_rings.sweep(kSweptWhileWaiting)) {
      one.revents = 0;
      const timespec at_once = {};
      if (raw(SYS_ppoll, &one, 1, &at_once, nullptr, 8) != 0) break;
    }
  }
  return false;
}

/** With the receiver's role, before a sleep. */
void Connection::remember_pages() {
  const std::uint64_t taken = slot_->directions[1 - end_].receiver.ring_head.load(std::memory_order_relaxed);
  if (taken - inbound_pages_since_ > kFirstBytes) {
    idle_rings.used(Handle(handle_.load(std::memory_order_relaxed)));
  }
}

}  // namespace sockdoc::preload
