#include "ring/byte_ring.h"

#include <algorithm>

namespace sockdoc {

using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;

std::size_t ByteRing::write(std::span<const std::byte> bytes) {
  abi::SenderWords& mine = shared_.sender;
  const std::uint64_t tail = mine.ring_tail.load(memory_order_relaxed);
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
  mine.ring_tail.store(tail + count, memory_order_release);
  return count;
}

std::size_t ByteRing::read(std::span<std::byte> into) {
  abi::ReceiverWords& mine = shared_.receiver;
  const std::size_t there = readable(into.size());
  if (there == kRingViolated) return there;
  const std::uint64_t head = mine.ring_head.load(memory_order_relaxed);
  const std::size_t count = std::min(into.size(), there);
  if (count == 0) return 0;
  copy_out(head, into.first(count));
  mine.ring_head.store(head + count, memory_order_release);
  return count;
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
    const std::uint64_t tail = shared_.sender.ring_tail.load(memory_order_acquire);
    there = tail - head;
    if (there > capacity()) return kRingViolated;
    mine.ring_tail_seen.store(tail, memory_order_relaxed);
  }
  return static_cast<std::size_t>(there);
}

std::size_t ByteRing::writable() {
  abi::SenderWords& mine = shared_.sender;
  const std::uint64_t head = shared_.receiver.ring_head.load(memory_order_acquire);
  const std::uint64_t used = mine.ring_tail.load(memory_order_relaxed) - head;
  if (used > capacity()) return kRingViolated;
  mine.ring_head_seen.store(head, memory_order_relaxed);
  return capacity() - used;
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
