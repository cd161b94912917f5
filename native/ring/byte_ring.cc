#include "ring/byte_ring.h"

#include <algorithm>

#include "abi/slab.h"

namespace sockdoc {

using std::memory_order_acquire;
using std::memory_order_relaxed;

namespace {

constexpr std::uint64_t kWishes = abi::kKernelWanted | abi::kWokenOnce | abi::kWatched;

}  // namespace

std::size_t ByteRing::write(std::span<const std::byte> bytes) {
  abi::SenderWords& mine = shared_.sender;
  const std::uint64_t word = mine.ring_tail.load(memory_order_relaxed);
  if ((word & (abi::kKernelWanted | abi::kPagesGone)) != 0) return 0;
  const std::uint64_t tail = abi::tail_bytes(word);
  // The receiver's line is only fetched when what was seen of it last does not leave enough room.
  std::uint64_t used = tail - mine.ring_head_seen.load(memory_order_relaxed);
  if (used > capacity() || capacity() - used < bytes.size()) {
    const std::uint64_t head = shared_.receiver.ring_head.load(memory_order_acquire);
    used = tail - head;
    if (used > capacity()) return kRingViolated;
    mine.ring_head_seen.store(head, memory_order_relaxed);
  }
  std::size_t count = std::min<std::size_t>(bytes.size(), capacity() - used);
  const std::uint64_t pages = mine.pages_until.load(memory_order_relaxed);
  if (pages != 0 && pages - tail < count) count = static_cast<std::size_t>(pages - tail);
  if (count == 0) return 0;
  copy_in(tail, bytes.first(count));
  return announce(word, count) ? count : 0;
}

std::size_t ByteRing::read(std::span<std::byte> into) {
  const std::size_t there = readable();
  if (there == kRingViolated) return there;
  const std::size_t count = std::min(into.size(), there);
  return count > 0 && take(into.first(count)) ? count : 0;
}

std::size_t ByteRing::peek(std::span<std::byte> into, std::size_t skip) const {
  const std::size_t there = readable();
  const std::uint64_t head = shared_.receiver.ring_head.load(memory_order_relaxed);
  if (there == kRingViolated || there <= skip) return there == kRingViolated ? there : 0;
  const std::size_t count = std::min(into.size(), there - skip);
  copy_out(head + skip, into.first(count));
  return count;
}

std::size_t ByteRing::readable() const {
  const std::uint64_t head = shared_.receiver.ring_head.load(memory_order_relaxed);
  const std::uint64_t there = abi::tail_bytes(shared_.sender.ring_tail.load(memory_order_acquire)) - head;
  return there > capacity() ? kRingViolated : static_cast<std::size_t>(there);
}

void ByteRing::begin_with_pages(std::size_t bytes) {
  shared_.sender.pages_from.store(0, memory_order_relaxed);
  shared_.sender.pages_until.store(bytes < capacity() ? bytes : 0, memory_order_relaxed);
}

std::span<std::byte> ByteRing::missing_pages() {
  constexpr std::uint64_t kFewest = 16384;
  constexpr std::uint64_t kMost = 65536;
  abi::SenderWords& mine = shared_.sender;
  std::uint64_t word = mine.ring_tail.load(memory_order_acquire);
  if ((word & abi::kKernelWanted) != 0) return {};
  const std::uint64_t tail = abi::tail_bytes(word);
  if ((word & abi::kPagesGone) != 0) {
    mine.pages_from.store(tail, memory_order_relaxed);
    mine.pages_until.store(tail, memory_order_relaxed);
    if (!mine.ring_tail.compare_exchange_strong(word, word & ~abi::kPagesGone)) return {};
  }
  const std::uint64_t until = mine.pages_until.load(memory_order_relaxed);
  if (until == 0 || until != tail) return {};
  const std::uint64_t since = until - mine.pages_from.load(memory_order_relaxed);
  const std::size_t start = static_cast<std::size_t>(until) & (capacity() - 1);
  const std::size_t wanted = std::clamp(since, kFewest, kMost) - start % abi::kPage;
  return data_.subspan(start, std::min(wanted, capacity() - start));
}

void ByteRing::pages_came(std::size_t bytes) {
  abi::SenderWords& mine = shared_.sender;
  const std::uint64_t until = mine.pages_until.load(memory_order_relaxed) + bytes;
  const bool all = until - mine.pages_from.load(memory_order_relaxed) >= capacity();
  mine.pages_until.store(all ? 0 : until, memory_order_relaxed);
}

std::size_t ByteRing::pages() const {
  const abi::SenderWords& mine = shared_.sender;
  const std::uint64_t until = mine.pages_until.load(memory_order_relaxed);
  return until == 0 ? capacity() : static_cast<std::size_t>(until - mine.pages_from.load(memory_order_relaxed));
}

bool ByteRing::forget_pages() {
  abi::SenderWords& mine = shared_.sender;
  const std::uint64_t tail = abi::tail_bytes(mine.ring_tail.load(memory_order_relaxed));
  if (tail == 0 || shared_.receiver.ring_head.load(memory_order_acquire) != tail) return false;
  mine.pages_from.store(tail, memory_order_relaxed);
  mine.pages_until.store(tail, memory_order_relaxed);
  return true;
}

ByteRing::Held ByteRing::hold() {
  const std::uint64_t head = shared_.receiver.ring_head.load(memory_order_relaxed);
  std::uint64_t word = shared_.sender.ring_tail.load(memory_order_acquire);
  if (head == 0 || abi::tail_bytes(word) != head) return Held::no;
  const Held held = (word & abi::kKernelWanted) != 0 ? Held::resting : Held::awake;
  const std::uint64_t after = (word | abi::kKernelWanted | abi::kPagesGone) + abi::kInterruption;
  return shared_.sender.ring_tail.compare_exchange_strong(word, after) ? held : Held::no;
}

void ByteRing::let_go(Held held) {
  if (held == Held::awake) want_ring();
}

std::size_t ByteRing::writable() {
  abi::SenderWords& mine = shared_.sender;
  const std::uint64_t head = shared_.receiver.ring_head.load(memory_order_acquire);
  const std::uint64_t used = abi::tail_bytes(mine.ring_tail.load(memory_order_relaxed)) - head;
  if (used > capacity()) return kRingViolated;
  mine.ring_head_seen.store(head, memory_order_relaxed);
  return capacity() - used;
}

bool ByteRing::want_kernel(bool once) {
  const std::uint64_t head = shared_.receiver.ring_head.load(memory_order_relaxed);
  std::uint64_t word = shared_.sender.ring_tail.load(std::memory_order_acquire);
  if (abi::tail_bytes(word) != head) return false;
  std::uint64_t after = (word | abi::kKernelWanted) & ~(abi::kWokenOnce | abi::kWatched);
  if (once) after = (after | abi::kWokenOnce) + abi::kInterruption;
  return word == after || shared_.sender.ring_tail.compare_exchange_strong(word, after);
}

bool ByteRing::want_always() {
  std::uint64_t word = shared_.sender.ring_tail.load(memory_order_relaxed);
  while ((word & abi::kKernelWanted) != 0) {
    if (shared_.sender.ring_tail.compare_exchange_weak(word, word & ~abi::kWokenOnce)) return true;
  }
  return false;
}

bool ByteRing::woke(std::uint64_t sleeper) {
  return shared_.sender.ring_tail.compare_exchange_strong(sleeper, sleeper & ~kWishes);
}

void ByteRing::want_ring() { shared_.sender.ring_tail.fetch_and(~kWishes); }

void ByteRing::forbid(bool watched) {
  // In one step: between two a sender could clear what it may clear, and with it what it may not.
  std::uint64_t word = shared_.sender.ring_tail.load(memory_order_relaxed);
  std::uint64_t after = 0;
  do {
    after = (word & ~kWishes) | abi::kKernelWanted;
    if (watched) after = (after | abi::kWatched) + abi::kInterruption;
  } while (!shared_.sender.ring_tail.compare_exchange_weak(word, after));
}

void ByteRing::interrupt() { shared_.sender.ring_tail.fetch_add(abi::kInterruption); }

bool ByteRing::kernel_wanted() const {
  return (shared_.sender.ring_tail.load(memory_order_relaxed) & abi::kKernelWanted) != 0;
}

}  // namespace sockdoc
