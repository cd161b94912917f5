#include "preload/readiness/waiting.h"

#include "preload/connection/connections.h"

namespace sockdoc::preload {

constinit SpinPolicy spin_policy;
constinit BellPolicy bell_policy;

std::uint64_t SpinPolicy::limit(std::uint64_t now) {
  const bool crowded = now < no_yield_until_.load(std::memory_order_relaxed);
  const std::uint64_t usual = longer_.load(std::memory_order_relaxed) != 0 ? longest_spin_ticks : spin_ticks;
  const std::uint64_t most = crowded && usual > kAlone * kTicksPerUs ? kAlone * kTicksPerUs : usual;
  const std::uint32_t in_vain = in_vain_.load(std::memory_order_relaxed);
  if (in_vain < kVainTries) return most;
  in_vain_.store(in_vain + 1, std::memory_order_relaxed);
  return in_vain % kVainPeriod == 0 ? most : 0;
}

void SpinPolicy::slept(std::uint64_t took) {
  const std::uint32_t before = short_sleeps_.load(std::memory_order_relaxed);
  if (took > longest_spin_ticks || longest_spin_ticks == spin_ticks) {
    if (before != 0) short_sleeps_.store(before / 2, std::memory_order_relaxed);
    if (before < 2 && longer_.load(std::memory_order_relaxed) != 0) longer_.store(0, std::memory_order_relaxed);
  } else if (before < kMostShort) {
    short_sleeps_.store(before + 1, std::memory_order_relaxed);
  } else if (longer_.load(std::memory_order_relaxed) == 0) {
    longer_.store(1, std::memory_order_relaxed);
    in_vain_.store(0, std::memory_order_relaxed);
  }
}

void SpinPolicy::yielded(std::uint64_t now, std::uint64_t took) {
  if (took > kLongYieldUs * kTicksPerUs) no_yield_until_.store(now + kPauses * took, std::memory_order_relaxed);
}

void BellPolicy::yielded(std::uint64_t wasted) {
  constexpr std::uint32_t kSmooth = 8;
  // One long wait says little of the next.
  const std::uint32_t one = wasted < 2 * kCost ? static_cast<std::uint32_t>(wasted) : 2 * kCost;
  const std::uint32_t before = wasted_.load(std::memory_order_relaxed);
  const std::uint32_t after = preferred() ? one : before - before / kSmooth + one / kSmooth;
  if (after != before) wasted_.store(after, std::memory_order_relaxed);
}

void Peers::add(Handle socket) {
  if (enough()) return;
  Connection* connection = connection_of(socket);
  if (connection == nullptr) {
    bells_ = false;
    return;
  }
  const Connection::Neighbour neighbour = connection->neighbour();
  beside_ = beside_ || neighbour.here;
  bells_ = bells_ && neighbour.rings && looked_at_ < (bell_policy.several() ? kMostBells : 1);
  if (bells_) sockets_[looked_at_] = socket;
  looked_at_++;
}

Connection::AtBell Peers::announce() {
  using AtBell = Connection::AtBell;
  for (unsigned i = 0; i < looked_at_; i++) {
    Connection* connection = connection_of(sockets_[i]);
    if (connection == nullptr) return AtBell::never;
    const Connection::Announced announced = connection->wait_at_bell(sockets_[i]);
    if (announced.outcome != AtBell::may) return announced.outcome;
    words_[i] = to_wait_at(*announced.bell);
  }
  return AtBell::may;
}

void Peers::await(std::int64_t ns) {
  if (await_bells(words_, looked_at_, ns) == AtBells::unknown) bell_policy.no_several();
}

void Spin::share_processor() {
  spin_policy.look_no_longer();
  alone_ = 0;
  how_ = peers_.have_bells() ? How::comes_to_bells : How::yields_to_peer;
}

/**
 * Between what is announced and the wait there is a look. After it there is one, and no second wait: if it was not by
 * the ring that the peer sent, the kernel knows.
 */
void Spin::give_way() {
  if (how_ == How::is_at_bells) {
    peers_.await(kAtBellsNs);
    how_ = How::done;
  } else if (how_ == How::comes_to_bells) {
    how_ = come_to_bells();
  } else {
    yield();
  }
}

Spin::How Spin::come_to_bells() {
  timeout_.pass();
  switch (peers_.announce()) {
    case Connection::AtBell::may:
      return How::is_at_bells;
    case Connection::AtBell::not_now:
      // A peer who has woken us by the kernel is in the midst of that call still. Slept in the kernel again, each of
      // his answers would come by it. What this wait costs says nothing of others.
      return How::yields;
    case Connection::AtBell::never:
      break;
  }
  return How::done;
}

void Spin::yield() {
  const std::uint64_t before = ticks();
  raw(SYS_sched_yield);
  yielded_ = ticks();
  const std::uint64_t took = yielded_ - before;
  spin_policy.yielded(yielded_, took);
  // An exchange of two threads and back takes longer than a call that finds nobody.
  if (took > kTicksPerUs) others_ += took;
}

}  // namespace sockdoc::preload
