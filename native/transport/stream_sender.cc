#include "transport/stream_sender.h"

#include <sys/syscall.h>

#include <cerrno>
#include <ctime>

#include "base/raw.h"

namespace sockdoc {
namespace {

using abi::Carrier;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_seq_cst;

/** A kernel read under way takes some microseconds; a reader that was stopped in it may take for ever. */
constexpr std::int64_t kPatienceNs = 1'000'000;

std::int64_t now_ns() {
  timespec now = {};
  raw(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

void StreamSender::begin(std::uint64_t sent, std::size_t pages) {
  shared_.sender.kernel_sent.store(sent, memory_order_relaxed);
  ring_.begin_with_pages(pages);
}

void StreamSender::go_on(std::uint64_t sent) {
  const std::uint64_t by_ring = abi::tail_bytes(shared_.sender.ring_tail.load(memory_order_relaxed));
  shared_.sender.kernel_sent.store(sent - by_ring, memory_order_relaxed);
}

std::uint64_t StreamSender::sent() const {
  return shared_.sender.kernel_sent.load(memory_order_relaxed) +
         abi::tail_bytes(shared_.sender.ring_tail.load(memory_order_relaxed));
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
  const std::span<const std::byte> left = bytes.subspan(ringed.bytes);
  const iovec rest = {const_cast<std::byte*>(left.data()), left.size()};
  const Moved by_kernel = send_by_kernel({&rest, 1});
  if (ringed.bytes > 0) return {ringed.bytes + by_kernel.bytes, 0};  // an error shows again at the next call
  return by_kernel;
}

Moved StreamSender::send_by_kernel(std::span<const iovec> parts) {
  if (!switch_to(Carrier::kernel)) return {0, may_switch_back() ? EAGAIN : EPROTO};
  if (!enter_kernel()) return {0, EBUSY};
  const std::uint64_t sleeper = ring_.sleeper();
  const Moved by_kernel = kernel_.send(parts);
  sent_by_kernel(by_kernel.bytes);
  leave_kernel();
  if (by_kernel.bytes > 0 && ByteRing::woken_once(sleeper) && kernel_.all_on_their_way()) {
    has_woken_ = ring_.woke(sleeper);
  }
  return by_kernel;
}

bool StreamSender::switch_to(Carrier to) {
  if (carrier() == to) return true;
  // Going to the ring leaves one place for the way back, which therefore always exists.
  const std::uint64_t limit = to == Carrier::ring ? abi::kSwitches - 1 : abi::kSwitches;
  if (pending() >= limit) return false;
  if (to == Carrier::kernel && !older_read_ended()) return false;
  publish(to);
  return true;
}

/** Switches that the receiver has not taken yet. */
std::uint64_t StreamSender::pending() const {
  return (shared_.sender.published.load(memory_order_relaxed) >> 1) -
         (shared_.receiver.taken.load(memory_order_acquire) >> 1);
}

bool StreamSender::may_switch_back() const { return pending() < abi::kSwitches; }

void StreamSender::forget_older_read() { shared_.sender.older_read.store(0, memory_order_relaxed); }

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
  const auto ended = [&] { return shared_.receiver.kernel_reads.load(memory_order_acquire) != older; };
  const std::int64_t start = now_ns();
  // By time: on a busy machine each turn of the others takes milliseconds.
  while (!ended()) {
    if (now_ns() - start > kPatienceNs) return ended();
    raw(SYS_sched_yield);
  }
  return true;
}

bool StreamSender::drained(bool woken) const {
  const std::uint64_t tail = abi::tail_bytes(shared_.sender.ring_tail.load(memory_order_relaxed));
  return pending() <= (woken && carrier() == Carrier::kernel ? 1 : 0) &&
         shared_.receiver.ring_head.load(memory_order_acquire) == tail;
}

std::uint64_t StreamSender::taken() const {
  return shared_.receiver.kernel_received.load(memory_order_relaxed) +
         shared_.receiver.ring_head.load(memory_order_relaxed);
}

std::uint64_t StreamSender::behind() const {
  return shared_.sender.kernel_sent.load(memory_order_relaxed) -
         shared_.receiver.kernel_received.load(memory_order_relaxed);
}

bool StreamSender::enter_kernel() {
  std::atomic<std::uint32_t>& sends = shared_.sender.kernel_sends;
  std::uint32_t word = sends.load(memory_order_relaxed);
  do {
    // Where a call is with the kernel already the receiver waits anyway: a signal handler may have interrupted it.
    if ((word & abi::kSenderHeld) != 0 && abi::calls_of(word) == 0) return false;
  } while (!sends.compare_exchange_weak(word, word + 1));
  return true;
}

bool StreamSender::take_leave() {
  std::atomic<std::uint32_t>& sends = shared_.sender.kernel_sends;
  std::uint32_t word = sends.load(memory_order_relaxed);
  do {
    if ((word & abi::kHeldFinally) != 0) return false;
  } while (!sends.compare_exchange_weak(word, word & ~abi::kSenderHeld));
  return true;
}

bool StreamSender::send_alone() {
  std::atomic<std::uint32_t>& sends = shared_.sender.kernel_sends;
  std::uint32_t word = sends.load(memory_order_relaxed);
  do {
    if ((word & abi::kSenderHeld) != 0) return false;
  } while (!sends.compare_exchange_weak(word, word | abi::kSendsAlone));
  return true;
}

void StreamSender::sent_by_kernel(std::size_t bytes) {
  std::atomic<std::uint64_t>& sent = shared_.sender.kernel_sent;
  sent.store(sent.load(memory_order_relaxed) + bytes, memory_order_relaxed);
}

}  // namespace sockdoc
