#include "transport/stream_sender.h"

#include <sys/syscall.h>

#include <cerrno>

#include "base/raw.h"

namespace sockdoc {
namespace {

using abi::Carrier;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_seq_cst;

/** A kernel read under way takes some microseconds; a reader that was stopped in it may take for ever. */
constexpr int kLooksAtOlderRead = 1000;

}  // namespace

void StreamSender::begin(std::uint64_t sent) { shared_.sender.kernel_sent.store(sent, memory_order_relaxed); }

std::uint64_t StreamSender::sent() const {
  return shared_.sender.kernel_sent.load(memory_order_relaxed) +
         abi::tail_bytes(shared_.sender.ring_tail.load(memory_order_relaxed));
}

Carrier StreamSender::carrier() const {
  return static_cast<Carrier>(shared_.sender.published.load(memory_order_relaxed) & 1);
}

Moved StreamSender::send_by_ring(std::span<const std::byte> bytes) {
  if (carrier() != Carrier::ring) return {};
  const std::size_t ringed = ring_.write(bytes);
  if (ringed == kRingViolated) return {0, EPROTO};
  return {ringed, 0};
}

Moved StreamSender::send(std::span<const std::byte> bytes) {
  const Moved ringed = send_by_ring(bytes);
  if (ringed.error != 0 || (ringed.bytes == bytes.size() && carrier() == Carrier::ring)) return ringed;
  if (!switch_to(Carrier::kernel)) return {ringed.bytes, ringed.bytes > 0 ? 0 : EAGAIN};
  const Moved by_kernel = kernel_.send(bytes.subspan(ringed.bytes));
  sent_by_kernel(by_kernel.bytes);
  if (ringed.bytes > 0) return {ringed.bytes + by_kernel.bytes, 0};  // an error shows again at the next call
  return by_kernel;
}

bool StreamSender::switch_to(Carrier to) {
  if (carrier() == to) return true;
  const std::uint64_t pending = (shared_.sender.published.load(memory_order_relaxed) >> 1) -
                                (shared_.receiver.taken.load(memory_order_acquire) >> 1);
  // Going to the ring leaves one place for the way back, which therefore always exists.
  const std::uint64_t limit = to == Carrier::ring ? abi::kSwitches - 1 : abi::kSwitches;
  if (pending >= limit) return false;
  if (to == Carrier::kernel && !older_read_ended()) return false;
  publish(to);
  return true;
}

void StreamSender::publish(Carrier to) {
  abi::SenderWords& mine = shared_.sender;
  const std::uint64_t count = mine.published.load(memory_order_relaxed) >> 1;
  const abi::Switch next{sent(), to};
  mine.switches[count % abi::kSwitches].store(next.word(), memory_order_relaxed);
  // Sequentially consistent, as the receiver's pair (raise kernel_reads, look at published) is: either it sees the
  // switch, or we see its read.
  mine.published.store((count + 1) << 1 | static_cast<std::uint64_t>(to), memory_order_seq_cst);
  if (to == Carrier::ring) {
    mine.older_read.store(shared_.receiver.kernel_reads.load(memory_order_seq_cst), memory_order_relaxed);
  }
}

bool StreamSender::older_read_ended() const {
  const std::uint32_t older = shared_.sender.older_read.load(memory_order_relaxed);
  if (older % 2 == 0) return true;
  for (int looks = 0; looks < kLooksAtOlderRead; ++looks) {
    if (shared_.receiver.kernel_reads.load(memory_order_acquire) != older) return true;
    raw(SYS_sched_yield);
  }
  return false;
}

bool StreamSender::drained() const {
  const abi::SenderWords& mine = shared_.sender;
  const abi::ReceiverWords& theirs = shared_.receiver;
  return theirs.taken.load(memory_order_acquire) >> 1 == mine.published.load(memory_order_relaxed) >> 1 &&
         theirs.ring_head.load(memory_order_acquire) == abi::tail_bytes(mine.ring_tail.load(memory_order_relaxed));
}

void StreamSender::sent_by_kernel(std::size_t bytes) {
  std::atomic<std::uint64_t>& sent = shared_.sender.kernel_sent;
  sent.store(sent.load(memory_order_relaxed) + bytes, memory_order_relaxed);
}

}  // namespace sockdoc
