#include "transport/stream_receiver.h"

#include <algorithm>
#include <cerrno>

namespace sockdoc {

using abi::Carrier;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;

Moved StreamReceiver::receive(std::span<std::byte> into) {
  Moved result;
  // Each turn takes a switch, of which there are kSwitches at most: more is a peer that makes fun of us.
  for (unsigned turn = 0; turn <= abi::kSwitches; ++turn) {
    const bool ring = shared_.receiver.carrier.load(memory_order_relaxed) == Carrier::ring;
    if ((ring ? receive_ring(into, result) : receive_kernel(into, result)) == Step::moved) return result;
  }
  return {0, EAGAIN};
}

StreamReceiver::Step StreamReceiver::receive_ring(std::span<std::byte> into, Moved& result) {
  // In this order: whatever bytes are seen, the switches that were published before them are seen too.
  const std::size_t there = ring_.readable(into.size());
  const Ahead ahead = look_ahead();
  if (there == kRingViolated || !ahead.valid) {
    result = {0, EPROTO};
    return Step::moved;
  }
  if (ahead.room == 0) {
    take(*ahead.next);
    return Step::again;
  }
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(ahead.room, std::min(into.size(), there)));
  const std::size_t got = ring_.read(into.first(wanted));
  if (got == kRingViolated) {
    result = {0, EPROTO};
    return Step::moved;
  }
  count(got);
  result = {got, got > 0 || into.empty() ? 0 : EAGAIN};
  if (result.error == 0 || ahead.next || !kernel_.at_end()) return Step::moved;
  // The last bytes may have come between our look and the end: they count first.
  const std::size_t late = ring_.readable();
  if (late == 0 && !look_ahead().next) result = {0, 0, true};
  return Step::moved;
}

StreamReceiver::Step StreamReceiver::receive_kernel(std::span<std::byte> into, Moved& result) {
  std::atomic<std::uint32_t>& reads = shared_.receiver.kernel_reads;
  const std::uint32_t before = reads.load(memory_order_relaxed) & ~1u;
  // Sequentially consistent: see StreamSender::publish.
  reads.store(before + 1, memory_order_seq_cst);
  const Ahead ahead = look_ahead();
  Step step = Step::moved;
  if (!ahead.valid) {
    result = {0, EPROTO};
  } else if (ahead.room == 0) {
    take(*ahead.next);
    step = Step::again;
  } else {
    result = kernel_.receive(into.first(static_cast<std::size_t>(std::min<std::uint64_t>(ahead.room, into.size()))));
    count(result.bytes);
    // The kernel's end is that of the stream only when no ring bytes were announced before it.
    if (result.end && look_ahead().next) {
      result = {};
      step = Step::again;
    }
  }
  reads.store(before + 2, memory_order_release);
  return step;
}

StreamReceiver::Ahead StreamReceiver::look_ahead() const {
  const Ahead kImpossible{false, std::nullopt, 0};
  const abi::SenderWords& theirs = shared_.sender;
  const std::uint32_t head = shared_.receiver.switch_head.load(memory_order_relaxed);
  const std::uint32_t pending = theirs.switch_tail.load(memory_order_seq_cst) - head;
  if (pending == 0) return {};
  if (pending > abi::kSwitches) return kImpossible;
  const auto next = abi::Switch::of(theirs.switches[head % abi::kSwitches].load(memory_order_relaxed));
  const std::uint64_t received = shared_.receiver.received.load(memory_order_relaxed);
  if (next.at < received) return kImpossible;
  return {true, next, next.at - received};
}

void StreamReceiver::take(const abi::Switch& next) {
  abi::ReceiverWords& mine = shared_.receiver;
  mine.carrier.store(next.carrier, memory_order_relaxed);
  mine.switch_head.store(mine.switch_head.load(memory_order_relaxed) + 1, memory_order_release);
}

void StreamReceiver::count(std::size_t bytes) {
  std::atomic<std::uint64_t>& received = shared_.receiver.received;
  received.store(received.load(memory_order_relaxed) + bytes, memory_order_relaxed);
}

}  // namespace sockdoc
