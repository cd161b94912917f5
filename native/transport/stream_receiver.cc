#include "transport/stream_receiver.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sockdoc {

using abi::Carrier;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;

std::uint64_t StreamReceiver::received() const {
  return shared_.receiver.kernel_received.load(memory_order_relaxed) +
         shared_.receiver.ring_head.load(memory_order_relaxed);
}

Moved StreamReceiver::receive(std::span<std::byte> into) {
  Moved result;
  // Each turn takes a switch, of which there are kSwitches at most: more is a peer that makes fun of us.
  for (unsigned turn = 0; turn <= abi::kSwitches; ++turn) {
    const bool ring = carrier() == Carrier::ring;
    if ((ring ? receive_ring(into, result) : receive_kernel(into, result)) == Step::moved) return result;
  }
  return {0, EAGAIN};
}

Moved StreamReceiver::receive_by_ring(std::span<std::byte> into) {
  if (carrier() != Carrier::ring) return {};
  // In this order: whatever bytes are seen, the switches that were published before them are seen too.
  const std::size_t there = ring_.readable();
  if (there == kRingViolated) return {0, EPROTO};
  if (there == 0) return {};
  const Ahead ahead = look_ahead();
  if (!ahead.valid) return {0, EPROTO};
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(ahead.room, std::min(into.size(), there)));
  const std::size_t got = ring_.read(into.first(wanted));
  if (got == kRingViolated) return {0, EPROTO};
  return {got, 0};
}

Carrier StreamReceiver::next_carrier(std::uint64_t& room) const {
  const std::uint64_t taken = shared_.receiver.taken.load(memory_order_relaxed);
  const std::uint64_t published = shared_.sender.published.load(memory_order_seq_cst) >> 1;
  const std::uint64_t so_far = received();
  auto carrier = static_cast<Carrier>(taken & 1);
  room = ~std::uint64_t{0};
  for (std::uint64_t at = taken >> 1, turn = 0; at != published && turn < abi::kSwitches; ++at, ++turn) {
    const auto next = abi::Switch::of(shared_.sender.switches[at % abi::kSwitches].load(memory_order_relaxed));
    if (next.at > so_far) {
      room = next.at - so_far;
      break;
    }
    carrier = next.carrier;
  }
  return carrier;
}

bool StreamReceiver::ring_is_next() {
  const std::size_t there = ring_.readable();
  std::uint64_t room = 0;
  return there > 0 && next_carrier(room) == Carrier::ring;
}

std::size_t StreamReceiver::in_ring() {
  const std::size_t there = ring_.readable();
  return there == kRingViolated ? 0 : there;
}

std::size_t StreamReceiver::until_ring_is_empty() {
  const std::size_t there = ring_.readable();
  if (there == kRingViolated || there == 0) return there;
  const std::uint64_t taken = shared_.receiver.taken.load(memory_order_relaxed);
  const std::uint64_t published = shared_.sender.published.load(memory_order_seq_cst) >> 1;
  auto carrier = static_cast<Carrier>(taken & 1);
  std::uint64_t at = received();
  std::uint64_t by_kernel = 0;
  std::uint64_t by_ring = 0;
  for (std::uint64_t entry = taken >> 1, turn = 0; entry != published; ++entry, ++turn) {
    const auto next = abi::Switch::of(shared_.sender.switches[entry % abi::kSwitches].load(memory_order_relaxed));
    if (turn == abi::kSwitches || next.at < at) return kRingViolated;
    std::uint64_t& part = carrier == Carrier::ring ? by_ring : by_kernel;
    part += next.at - at;
    if (by_ring >= there) return by_ring == there ? there + by_kernel : kRingViolated;
    at = next.at;
    carrier = next.carrier;
  }
  return carrier == Carrier::ring ? there + by_kernel : kRingViolated;
}

bool StreamReceiver::nothing_yet() {
  if (carrier() != Carrier::ring || ring_.readable() != 0 || look_ahead().next) return false;
  const Moved by_kernel = kernel_.look();
  defer(by_kernel);
  return by_kernel.error == EAGAIN;
}

/**
 * The sender does not wait for a peek. Between a look at the switches and one at the kernel he may have gone over to
 * the ring and back, and the kernel's bytes would be those of a later part. So the switches are looked at last: by then
 * all that lie before the bytes that were found are to be seen.
 */
Moved StreamReceiver::peek(std::span<std::byte> into) {
  if (into.empty()) return {};
  for (unsigned turn = 0; turn <= abi::kSwitches; ++turn) {
    const std::size_t in_ring = ring_.readable();
    if (in_ring == kRingViolated) return {0, EPROTO};
    std::optional<Reach> reach = reach_of(into.size(), in_ring, 0);
    if (!reach) return {0, EPROTO};
    Moved by_kernel;
    if (reach->bytes == 0 || (reach->bytes < into.size() && reach->carrier == Carrier::kernel)) {
      by_kernel = kernel_.peek(into);
      if (by_kernel.error == EFAULT) return by_kernel;
      reach = reach_of(into.size(), in_ring, by_kernel.bytes);
      if (!reach) return {0, EPROTO};
    }
    if (reach->bytes > 0) {
      defer(by_kernel);
      return put_in_order(*reach, into) ? Moved{reach->bytes} : Moved{0, EPROTO};
    }
    if (by_kernel.error == EAGAIN) return by_kernel;
    // As in receive_ring(): what came before it is to be seen by now.
    if (!ring_is_next()) return by_kernel.bytes > 0 ? Moved{0, EPROTO} : with_deferred(by_kernel);
    defer(by_kernel);
  }
  return {0, EAGAIN};
}

std::optional<StreamReceiver::Reach> StreamReceiver::reach_of(std::size_t most, std::size_t in_ring,
                                                              std::size_t in_kernel) const {
  const std::uint64_t taken = shared_.receiver.taken.load(memory_order_relaxed);
  const std::uint64_t pending = (shared_.sender.published.load(memory_order_seq_cst) >> 1) - (taken >> 1);
  if (pending > abi::kSwitches) return std::nullopt;
  Reach reach;
  reach.carrier = static_cast<Carrier>(taken & 1);
  std::uint64_t at = received();
  for (;;) {
    std::uint64_t room = ~std::uint64_t{0};
    abi::Switch next;
    if (reach.switches < pending) {
      const std::uint64_t entry = ((taken >> 1) + reach.switches) % abi::kSwitches;
      next = abi::Switch::of(shared_.sender.switches[entry].load(memory_order_relaxed));
      if (next.at < at) return std::nullopt;
      room = next.at - at;
    }
    std::size_t& there = reach.carrier == Carrier::ring ? in_ring : in_kernel;
    const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(room, std::min(there, most - reach.bytes)));
    reach.parts[reach.switches] = {reach.carrier, bytes};
    reach.bytes += bytes;
    there -= bytes;
    if (bytes < room || reach.bytes == most) return reach;
    at = next.at;
    reach.carrier = next.carrier;
    ++reach.switches;
  }
}

/** The kernel's bytes lie at the front; from the last part on each moves to its place, with the ring's in between. */
bool StreamReceiver::put_in_order(const Reach& reach, std::span<std::byte> into) const {
  std::size_t end = reach.bytes;
  std::size_t of_ring = 0;
  for (const Part& part : reach.parts) of_ring += part.carrier == Carrier::ring ? part.bytes : 0;
  std::size_t of_kernel = reach.bytes - of_ring;
  for (std::size_t i = reach.switches + 1; i-- > 0;) {
    const std::size_t count = reach.parts[i].bytes;
    const std::span<std::byte> place = into.subspan(end - count, count);
    end -= count;
    if (reach.parts[i].carrier == Carrier::ring) {
      of_ring -= count;
      if (ring_.peek(place, of_ring) != count) return false;
    } else {
      of_kernel -= count;
      std::memmove(place.data(), into.data() + of_kernel, count);
    }
  }
  return true;
}

StreamReceiver::Step StreamReceiver::receive_ring(std::span<std::byte> into, Moved& result) {
  result = receive_by_ring(into);
  if (result.bytes > 0 || result.error != 0 || into.empty()) return Step::moved;
  Ahead ahead = look_ahead();
  if (ahead.next && ahead.valid && ahead.room == 0) {
    take(*ahead.next);
    return Step::again;
  }
  const Moved by_kernel = kernel_.look();
  if (by_kernel.error == EAGAIN && !ahead.next) {
    result = {0, EAGAIN};
    return Step::moved;
  }
  // What the kernel has came after all that went by the ring before it, and after the switch that says so: by now both
  // are to be seen.
  const std::size_t late = ring_.readable();
  ahead = look_ahead();
  if (late == kRingViolated || !ahead.valid) {
    result = {0, EPROTO};
  } else if (late > 0 || (ahead.next && ahead.room == 0)) {
    defer(by_kernel);
    return Step::again;
  } else if (ahead.next || (by_kernel.error == 0 && !by_kernel.end)) {
    result = {0, EPROTO};  // a switch behind bytes that are not there, or the kernel's bytes without one
  } else {
    result = with_deferred(by_kernel);
  }
  return Step::moved;
}

StreamReceiver::Step StreamReceiver::receive_kernel(std::span<std::byte> into, Moved& result) {
  abi::ReceiverWords& mine = shared_.receiver;
  const std::uint32_t before = mine.kernel_reads.load(memory_order_relaxed) & ~1u;
  // Sequentially consistent: see StreamSender::publish.
  mine.kernel_reads.store(before + 1, memory_order_seq_cst);
  const Ahead ahead = look_ahead();
  Step step = Step::moved;
  if (!ahead.valid) {
    result = {0, EPROTO};
  } else if (ahead.room == 0) {
    take(*ahead.next);
    step = Step::again;
  } else {
    result = kernel_.receive(into.first(static_cast<std::size_t>(std::min<std::uint64_t>(ahead.room, into.size()))));
    mine.kernel_received.store(mine.kernel_received.load(memory_order_relaxed) + result.bytes, memory_order_relaxed);
    if (result.bytes == 0 && result.error != EAGAIN && !into.empty()) {
      // The kernel's end is that of the stream only when no ring bytes were announced before it.
      const Ahead late = look_ahead();
      if (!late.valid || (late.next && late.room > 0)) {
        result = {0, EPROTO};
      } else if (late.next) {
        defer(result);
        result = {};
        step = Step::again;
      } else {
        result = with_deferred(result);
      }
    }
  }
  mine.kernel_reads.store(before + 2, memory_order_release);
  return step;
}

bool StreamReceiver::go_on(std::uint64_t received) {
  const std::uint64_t by_ring = shared_.receiver.ring_head.load(memory_order_relaxed);
  if (received < by_ring || ring_.readable() != 0) return false;
  shared_.receiver.kernel_received.store(received - by_ring, memory_order_relaxed);
  // Switches that the sender published when it had not seen yet that nothing may go by the ring: none went, and it
  // switched back where it was.
  for (unsigned turn = 0; turn <= abi::kSwitches; ++turn) {
    const std::uint64_t taken = shared_.receiver.taken.load(memory_order_relaxed) >> 1;
    const std::uint64_t pending = (shared_.sender.published.load(memory_order_seq_cst) >> 1) - taken;
    if (pending == 0) return true;
    if (pending > abi::kSwitches) return false;
    const auto next = abi::Switch::of(shared_.sender.switches[taken % abi::kSwitches].load(memory_order_relaxed));
    if (next.at > received) return true;
    take(next);
  }
  return false;
}

void StreamReceiver::defer(const Moved& by_kernel) {
  if (by_kernel.error != 0 && by_kernel.error != EAGAIN) {
    shared_.receiver.error.store(static_cast<std::uint32_t>(by_kernel.error), memory_order_relaxed);
  }
}

int StreamReceiver::deferred() {
  if (shared_.receiver.error.load(memory_order_relaxed) == 0) return 0;
  switch (const auto error = static_cast<int>(shared_.receiver.error.exchange(0, memory_order_relaxed))) {
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EPIPE:
    case ETIMEDOUT:
      return error;
    default:
      return ECONNRESET;  // what nothing but the peer's pen can have put there, too
  }
}

/** The kernel tells an error once; what it says afterwards is the end. */
Moved StreamReceiver::with_deferred(const Moved& by_kernel) {
  const int error = by_kernel.end ? deferred() : 0;
  return error == 0 ? by_kernel : Moved{0, error};
}

Rest StreamReceiver::rest(bool once) {
  for (unsigned turn = 0; turn <= abi::kSwitches; ++turn) {
    const std::size_t there = ring_.readable();
    const Ahead ahead = look_ahead();
    if (there == kRingViolated || !ahead.valid) return Rest::impossible;
    if (ahead.next && ahead.room == 0) {
      take(*ahead.next);
      continue;
    }
    if (carrier() == Carrier::ring) {
      if (there > 0 || ahead.next) return Rest::bytes;
    } else {
      if (ahead.next) {
        // The bytes before that switch come by the kernel, and all that follow what the ring holds already.
        ring_.forbid();
        return Rest::sleep;
      }
      if (there > 0) return Rest::impossible;
    }
    if (ring_.want_kernel(once)) return Rest::sleep;
  }
  return Rest::bytes;
}

StreamReceiver::Hold StreamReceiver::sender_held() const {
  const std::uint32_t word = shared_.sender.kernel_sends.load(std::memory_order_acquire);
  if ((word & abi::kSenderHeld) == 0 || (word & abi::kSendsAlone) != 0) return Hold::impossible;
  return abi::calls_of(word) == 0 ? Hold::held : Hold::sending;
}

bool StreamReceiver::more_by_kernel() const {
  if (shared_.sender.published.load() >> 1 != shared_.receiver.taken.load(memory_order_relaxed) >> 1) return true;
  // Before the first byte of the ring all of the kernel's were taken.
  if (carrier() == Carrier::ring) return false;
  // In this order: what a call has sent is counted before it is said to have ended.
  return abi::calls_of(shared_.sender.kernel_sends.load()) != 0 ||
         shared_.sender.kernel_sent.load(memory_order_relaxed) !=
             shared_.receiver.kernel_received.load(memory_order_relaxed);
}

bool StreamReceiver::hold_finally() {
  std::uint32_t word = abi::kSenderHeld;
  return shared_.sender.kernel_sends.compare_exchange_strong(word, word | abi::kHeldFinally);
}

StreamReceiver::Ahead StreamReceiver::look_ahead() const {
  const Ahead kImpossible{false, std::nullopt, 0};
  const abi::SenderWords& theirs = shared_.sender;
  const std::uint64_t head = shared_.receiver.taken.load(memory_order_relaxed) >> 1;
  const std::uint64_t pending = (theirs.published.load(memory_order_seq_cst) >> 1) - head;
  if (pending == 0) return {};
  if (pending > abi::kSwitches) return kImpossible;
  const auto next = abi::Switch::of(theirs.switches[head % abi::kSwitches].load(memory_order_relaxed));
  const std::uint64_t so_far = received();
  if (next.at < so_far) return kImpossible;
  return {true, next, next.at - so_far};
}

void StreamReceiver::take(const abi::Switch& next) {
  std::atomic<std::uint64_t>& taken = shared_.receiver.taken;
  std::uint64_t before = taken.load(memory_order_relaxed);
  const std::uint64_t after = ((before >> 1) + 1) << 1 | static_cast<std::uint64_t>(next.carrier);
  // Where it fails a signal handler has taken the switch meanwhile.
  (void)taken.compare_exchange_strong(before, after, memory_order_release, memory_order_relaxed);
}

}  // namespace sockdoc
