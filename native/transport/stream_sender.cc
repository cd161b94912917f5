#include "transport/stream_sender.h"

#include <sched.h>

#include <cerrno>

namespace sockdoc {
namespace {

using abi::Carrier;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_seq_cst;

/** A kernel read under way takes some microseconds; a reader that was stopped in it may take for ever. */
constexpr int kLooksAtOlderRead = 1000;

}  // namespace

Carrier StreamSender::carrier() const { return shared_.sender.carrier.load(memory_order_relaxed); }

Moved StreamSender::send(std::span<const std::byte> bytes) {
  std::size_t ringed = 0;
  if (carrier() == Carrier::ring) {
    ringed = ring_.write(bytes);
    if (ringed == kRingViolated) return {0, EPROTO};
    count(ringed);
    if (ringed == bytes.size()) return {ringed, 0};
    if (!switch_to(Carrier::kernel)) return {ringed, ringed > 0 ? 0 : EAGAIN};
  }
  const Moved by_kernel = kernel_.send(bytes.subspan(ringed));
  count(by_kernel.bytes);
  if (ringed > 0) return {ringed + by_kernel.bytes, 0};  // an error shows again at the next call
  return by_kernel;
}

bool StreamSender::switch_to(Carrier to) {
  if (carrier() == to) return true;
  const std::uint32_t pending =
      shared_.sender.switch_tail.load(memory_order_relaxed) - shared_.receiver.switch_head.load(memory_order_acquire);
  // Going to the ring leaves one place for the way back, which therefore always exists.
  const std::uint32_t limit = to == Carrier::ring ? abi::kSwitches - 1 : abi::kSwitches;
  if (pending >= limit) return false;
  if (to == Carrier::kernel && !older_read_ended()) return false;
  publish(to);
  return true;
}

void StreamSender::publish(Carrier to) {
  abi::SenderWords& mine = shared_.sender;
  const std::uint32_t tail = mine.switch_tail.load(memory_order_relaxed);
  const abi::Switch next{mine.sent.load(memory_order_relaxed), to};
  mine.switches[tail % abi::kSwitches].store(next.word(), memory_order_relaxed);
  // Sequentially consistent, as the receiver's pair (raise kernel_reads, look at switch_tail) is: either it sees the
  // switch, or we see its read.
  mine.switch_tail.store(tail + 1, memory_order_seq_cst);
  mine.carrier.store(to, memory_order_relaxed);
  if (to == Carrier::ring) {
    mine.older_read.store(shared_.receiver.kernel_reads.load(memory_order_seq_cst), memory_order_relaxed);
  }
}

bool StreamSender::older_read_ended() const {
  const std::uint32_t older = shared_.sender.older_read.load(memory_order_relaxed);
  if (older % 2 == 0) return true;
  for (int looks = 0; looks < kLooksAtOlderRead; ++looks) {
    if (shared_.receiver.kernel_reads.load(memory_order_acquire) != older) return true;
    ::sched_yield();
  }
  return false;
}

bool StreamSender::drained() const {
  const abi::SenderWords& mine = shared_.sender;
  const abi::ReceiverWords& theirs = shared_.receiver;
  return theirs.switch_head.load(memory_order_acquire) == mine.switch_tail.load(memory_order_relaxed) &&
         theirs.ring_head.load(memory_order_acquire) == mine.ring_tail.load(memory_order_relaxed);
}

void StreamSender::count(std::size_t bytes) {
  std::atomic<std::uint64_t>& sent = shared_.sender.sent;
  sent.store(sent.load(memory_order_relaxed) + bytes, memory_order_relaxed);
}

}  // namespace sockdoc
