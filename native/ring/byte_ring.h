#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "abi/direction.h"
#include "ring/copy_bytes.h"

namespace sockdoc {

/** Told apart from "nothing moved": the shared indexes cannot be what two honest sides wrote. */
inline constexpr std::size_t kRingViolated = ~std::size_t{0};

/**
 * The byte ring of one direction, over indexes and data that somebody else maps. One sender and one receiver at a
 * time; all state is in the shared words, so that either role may pass to another thread or process, which
 * synchronises by whatever gave it the role. Never waits, never allocates. `data` has a power of two of bytes.
 *
 * Bytes are announced and given back by one compare-and-swap each, at the end. It fails, and nothing has moved, when
 * the receiver has asked for the kernel meanwhile, or a signal handler has used the same role.
 *
 * Indexes count bytes since the ring was made and do not wrap in practice. They are masked where data is touched, so
 * that no value of them reaches outside of it.
 */
class ByteRing {
 public:
  ByteRing(abi::Direction& shared, std::span<std::byte> data) : shared_(shared), data_(data) {}

  [[nodiscard]] std::size_t capacity() const { return data_.size(); }

  /**
   * Sender: puts in as much of `bytes` as fits, and as there are pages for; nothing while the kernel is wanted. The
   * number, or kRingViolated.
   */
  [[nodiscard]] std::size_t write(std::span<const std::byte> bytes);
  /** Sender: all of `bytes`, where it is known without a look at the receiver's line that they fit. False: none. */
  [[nodiscard]] bool write_whole(std::span<const std::byte> bytes);
  /** The same for all `bytes` of the parts, announced together. */
  [[nodiscard]] bool write_whole(std::span<const iovec> parts, std::size_t bytes);

  /** Receiver: takes out at most `into.size()` bytes; the number of bytes, or kRingViolated. */
  [[nodiscard]] std::size_t read(std::span<std::byte> into);
  /** Receiver: takes as many bytes as `into` has, which are there. False: a signal handler has taken some meanwhile. */
  [[nodiscard]] bool take(std::span<std::byte> into);

  /** Receiver: like read(), from `skip` bytes ahead, and leaves the bytes where they are. */
  [[nodiscard]] std::size_t peek(std::span<std::byte> into, std::size_t skip = 0) const;

  /** Receiver: bytes that can be read, by a fresh look; or kRingViolated. */
  [[nodiscard]] std::size_t readable() const;

  /**
   * Sender: where write() takes nothing for want of pages, the memory that has to be there before it goes on, and then
   * pages_came(); about as much as was needed since the last ones went. Empty: it is not that.
   */
  [[nodiscard]] std::span<std::byte> missing_pages();
  void pages_came(std::size_t bytes);
  /** Sender: from here on pages have to be made sure of, so they may go now. False: the ring is not empty. */
  [[nodiscard]] bool forget_pages();
  /** Bytes that were made sure of, or used, since the pages last went. */
  [[nodiscard]] std::size_t pages() const;
  /** Sender, at the beginning: only the first `bytes` are sure to have pages. */
  void begin_with_pages(std::size_t bytes);
  /**
   * Receiver: an empty ring stays empty until let_go(), with what this returned, and the pages may go meanwhile. A
   * sender that is writing at this moment announces nothing.
   */
  enum class Held { no, resting, awake };
  [[nodiscard]] Held hold();
  void let_go(Held held);
  /** Where it lies: for giving pages back. */
  [[nodiscard]] std::span<std::byte> memory() const { return data_; }

  /** Sender: bytes that can be written, by a fresh look; or kRingViolated. */
  [[nodiscard]] std::size_t writable();

  /**
   * Receiver: from now on nothing comes by the ring; false when it is not empty. `once`: only until the sender has
   * sent something by the kernel (woke()); for one that sleeps alone, and calls want_always() afterwards.
   */
  [[nodiscard]] bool want_kernel(bool once = false);
  /** Receiver, after want_kernel(once): false when the sender has been and bytes may come by the ring. */
  [[nodiscard]] bool want_always();
  /** Sender: what woke() wants to know, from before bytes were given to the kernel. */
  [[nodiscard]] std::uint64_t sleeper() const { return shared_.sender.ring_tail.load(std::memory_order_acquire); }
  [[nodiscard]] static bool woken_once(std::uint64_t sleeper) {
    return (sleeper & (abi::kKernelWanted | abi::kWokenOnce)) == (abi::kKernelWanted | abi::kWokenOnce);
  }
  [[nodiscard]] static bool watched(std::uint64_t sleeper) {
    return (sleeper & (abi::kKernelWanted | abi::kWatched)) == (abi::kKernelWanted | abi::kWatched);
  }
  /** The sender may not clear that wish by himself. */
  [[nodiscard]] static bool plain(std::uint64_t sleeper) {
    return (sleeper & (abi::kKernelWanted | abi::kWokenOnce | abi::kWatched)) == abi::kKernelWanted;
  }
  /** Sender: that sleeper needs no more of the kernel's bytes. False: he sleeps anew since. */
  [[nodiscard]] bool woke(std::uint64_t sleeper);
  /** Receiver: bytes may come by the ring again. */
  void want_ring();
  /** Receiver: like want_kernel(), whatever the ring holds. `watched`: as long as he sleeps, says his watch. */
  void forbid(bool watched = false);
  /** Sender, in a signal handler: what a write() that was interrupted would announce is not. */
  void interrupt();
  [[nodiscard]] bool kernel_wanted() const;

 private:
  [[nodiscard]] bool has_room(std::uint64_t word, std::size_t bytes) const;
  [[nodiscard]] bool announce(std::uint64_t word, std::size_t bytes);
  void copy_in(std::uint64_t at, std::span<const std::byte> bytes);
  void copy_out(std::uint64_t at, std::span<std::byte> into) const;

  abi::Direction& shared_;
  std::span<std::byte> data_;
};

inline bool ByteRing::announce(std::uint64_t word, std::size_t bytes) {
  // Sequentially consistent: who has announced looks at the bell, and who waits there has looked at the announcement.
  return shared_.sender.ring_tail.compare_exchange_strong(word, word + (std::uint64_t{bytes} << 1),
                                                          std::memory_order_seq_cst, std::memory_order_relaxed);
}

/** For so many bytes at that ring_tail, as far as is known without a look at the receiver's line. */
inline bool ByteRing::has_room(std::uint64_t word, std::size_t bytes) const {
  const abi::SenderWords& mine = shared_.sender;
  if ((word & (abi::kKernelWanted | abi::kPagesGone)) != 0) return false;
  const std::uint64_t tail = abi::tail_bytes(word);
  const std::uint64_t used = tail - mine.ring_head_seen.load(std::memory_order_relaxed);
  if (used > capacity() || capacity() - used < bytes) return false;
  const std::uint64_t pages = mine.pages_until.load(std::memory_order_relaxed);
  return pages == 0 || pages - tail >= bytes;
}

inline bool ByteRing::write_whole(std::span<const std::byte> bytes) {
  const std::uint64_t word = shared_.sender.ring_tail.load(std::memory_order_relaxed);
  if (!has_room(word, bytes.size())) return false;
  copy_in(abi::tail_bytes(word), bytes);
  return announce(word, bytes.size());
}

inline bool ByteRing::write_whole(std::span<const iovec> parts, std::size_t bytes) {
  const std::uint64_t word = shared_.sender.ring_tail.load(std::memory_order_relaxed);
  if (!has_room(word, bytes)) return false;
  std::uint64_t at = abi::tail_bytes(word);
  for (const iovec& part : parts) {
    copy_in(at, {static_cast<const std::byte*>(part.iov_base), part.iov_len});
    at += part.iov_len;
  }
  return announce(word, bytes);
}

inline bool ByteRing::take(std::span<std::byte> into) {
  std::atomic<std::uint64_t>& head = shared_.receiver.ring_head;
  std::uint64_t before = head.load(std::memory_order_relaxed);
  copy_out(before, into);
  return head.compare_exchange_strong(before, before + into.size(), std::memory_order_release,
                                      std::memory_order_relaxed);
}

inline void ByteRing::copy_in(std::uint64_t at, std::span<const std::byte> bytes) {
  const std::size_t start = static_cast<std::size_t>(at) & (capacity() - 1);
  const std::size_t first = std::min(bytes.size(), capacity() - start);
  copy_bytes(data_.data() + start, bytes.data(), first);
  if (first < bytes.size()) copy_bytes(data_.data(), bytes.data() + first, bytes.size() - first);
}

inline void ByteRing::copy_out(std::uint64_t at, std::span<std::byte> into) const {
  const std::size_t start = static_cast<std::size_t>(at) & (capacity() - 1);
  const std::size_t first = std::min(into.size(), capacity() - start);
  copy_bytes(into.data(), data_.data() + start, first);
  if (first < into.size()) copy_bytes(into.data() + first, data_.data(), into.size() - first);
}

}  // namespace sockdoc
