#include "ring/byte_ring.h"

#include <algorithm>

namespace sockdoc {

using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;

std::size_t ByteRing::write(std::span<const std::byte> bytes) {
  abi::SenderWords& mine = shared_.sender;
  std::uint64_t word = mine.ring_tail.load(memory_order_relaxed);
  if ((word & abi::kKernelWanted) != 0) return 0;
  const std::uint64_t tail = abi::tail_bytes(word);
  // The receiver's line is only fetched when what was seen of it last does not leave enough room.
  std::uint64_t used = tail - mine.ring_head_seen.load(memory_order_relaxed);
  if (used > capacity() || capacity() - used < bytes.size()) {
    const std::uint64_t head = shared_.receiver.ring_head.load(memory_order_acquire);
    used = tail - head;
    if (used > capacity()) return kRingViolated;
    mine.ring_head_seen.store(head, memory_order_relaxed);
  }
  const std::size_t count = std::min<std::size_t>(bytes.size(), capacity() - used);
  if (count == 0) return 0;
  copy_in(tail, bytes.first(count));
  const std::uint64_t after = word + (std::uint64_t{count} << 1);
  return mine.ring_tail.compare_exchange_strong(word, after, memory_order_release, memory_order_relaxed) ? count : 0;
}

std::size_t ByteRing::read(std::span<std::byte> into) {
  abi::ReceiverWords& mine = shared_.receiver;
  std::uint64_t head = mine.ring_head.load(memory_order_relaxed);
  const std::size_t there = readable(into.size());
  if (there == kRingViolated) return there;
  const std::size_t count = std::min(into.size(), there);
  if (count == 0) return 0;
  copy_out(head, into.first(count));
  return mine.ring_head.compare_exchange_strong(head, head + count, memory_order_release, memory_order_relaxed) ? count
                                                                                                                : 0;
}

std::size_t ByteRing::peek(std::span<std::byte> into, std::size_t skip) {
  const std::size_t there = readable(skip + into.size());
  const std::uint64_t head = shared_.receiver.ring_head.load(memory_order_relaxed);
  if (there == kRingViolated || there <= skip) return there == kRingViolated ? there : 0;
  const std::size_t count = std::min(into.size(), there - skip);
  copy_out(head + skip, into.first(count));
  return count;
}

std::size_t ByteRing::readable(std::size_t wanted) {
  abi::ReceiverWords& mine = shared_.receiver;
  const std::uint64_t head = mine.ring_head.load(memory_order_relaxed);
  std::uint64_t there = mine.ring_tail_seen.load(memory_order_relaxed) - head;
  if (there > capacity() || there < wanted) {
    const std::uint64_t tail = abi::tail_bytes(shared_.sender.ring_tail.load(memory_order_acquire));
    there = tail - head;
    if (there > capacity()) return kRingViolated;
    mine.ring_tail_seen.store(tail, memory_order_relaxed);
  }
  return static_cast<std::size_t>(there);
}

std::size_t ByteRing::writable() {
  abi::SenderWords& mine = shared_.sender;
  const std::uint64_t head = shared_.receiver.ring_head.load(memory_order_acquire);
  const std::uint64_t used = abi::tail_bytes(mine.ring_tail.load(memory_order_relaxed)) - head;
  if (used > capacity()) return kRingViolated;
  mine.ring_head_seen.store(head, memory_order_relaxed);
  return capacity() - used;
}

bool ByteRing::want_kernel() {
  const std::uint64_t head = shared_.receiver.ring_head.load(memory_order_relaxed);
  std::uint64_t word = shared_.sender.ring_tail.load(std::memory_order_acquire);
  if (abi::tail_bytes(word) != head) return false;
  return (word & abi::kKernelWanted) != 0 ||
         shared_.sender.ring_tail.compare_exchange_strong(word, word | abi::kKernelWanted);
}

void ByteRing::want_ring() { shared_.sender.ring_tail.fetch_and(~abi::kKernelWanted); }

void ByteRing::forbid() { shared_.sender.ring_tail.fetch_or(abi::kKernelWanted); }

void ByteRing::interrupt() { shared_.sender.ring_tail.fetch_add(abi::kInterruption); }

bool ByteRing::kernel_wanted() const {
  return (shared_.sender.ring_tail.load(memory_order_relaxed) & abi::kKernelWanted) != 0;
}

void ByteRing::copy_in(std::uint64_t at, std::span<const std::byte> bytes) {
  const std::size_t start = static_cast<std::size_t>(at) & (capacity() - 1);
  const std::size_t first = std::min(bytes.size(), capacity() - start);
  std::memcpy(data_.data() + start, bytes.data(), first);
  std::memcpy(data_.data(), bytes.data() + first, bytes.size() - first);
}

void ByteRing::copy_out(std::uint64_t at, std::span<std::byte> into) const {
  const std::size_t start = static_cast<std::size_t>(at) & (capacity() - 1);
  const std::size_t first = std::min(into.size(), capacity() - start);
  std::memcpy(into.data(), data_.data() + start, first);
  std::memcpy(into.data() + first, data_.data(), into.size() - first);
}

}  // namespace sockdoc
